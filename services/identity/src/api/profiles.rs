//! `Profiles`: one's own, masked; details, contacts and matches for the other services.

use access::Caller;
use proto::identity::v1::profiles_server;
use proto::identity::v1::{
    ChangeProfileRequest, ChangeProfileResponse, CompleteProfileRequest, CompleteProfileResponse,
    FindPersonByNumberRequest, FindPersonByNumberResponse, GetContactRequest, GetContactResponse,
    GetPersonDetailsRequest, GetPersonDetailsResponse, GetProfileRequest, GetProfileResponse, PersonMatch,
};
use rpc::Violations;
use tonic::{Request, Response, Status};
use uuid::Uuid;
use vault::mask;

use super::access_log::looking;
use super::{asked, convert};
use crate::domain::account::Rejection;
use crate::domain::profile::Form;
use crate::error::Error;
use crate::handle::{Handle, Lookup};

/// Numbers in one lookup at most.
const MAX_LOOKUPS: usize = 500;
/// The service that acts for a person when it asks for details.
const APPLICATIONS: &str = "applications";

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Profiles {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl profiles_server::Profiles for Profiles {
    async fn get_profile(&self, request: Request<GetProfileRequest>) -> Result<Response<GetProfileResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let details = self.handle.details(person).await?;
        let known = details.personal;
        Ok(Response::new(GetProfileResponse {
            person_id: person.to_string(),
            document_type: details.document_type.code(),
            masked_number: mask::number(&known.number),
            masked_name: mask::name(&known.name),
            masked_phone: mask::phone(&known.phone),
            masked_email: mask::email(&known.email),
            ethnicity: known.ethnicity,
            complete: details.complete,
            email_verified: details.email_verified,
            name_verified: details.name_verified,
            sex: known.sex,
            birth_date: known.birth_date,
            masked_local_id_number: mask::number(&known.local_id_number),
            masked_permit_number: mask::number(&known.permit_number),
        }))
    }

    async fn complete_profile(
        &self,
        request: Request<CompleteProfileRequest>,
    ) -> Result<Response<CompleteProfileResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations).ok_or(violations)?;
        let request = request.into_inner();
        let form = Form {
            ethnicity: request.ethnicity,
            sex: request.sex,
            birth_date: request.birth_date,
            local_id_number: request.local_id_number,
            permit_number: request.permit_number,
            email: request.email,
        };
        let handle = self.handle.clone();
        rpc::run(&self.handle.lifecycle, async move { handle.complete_profile(&asked, person, &form).await }).await?;
        Ok(Response::new(CompleteProfileResponse {}))
    }

    async fn change_profile(
        &self,
        request: Request<ChangeProfileRequest>,
    ) -> Result<Response<ChangeProfileResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations).ok_or(violations)?;
        let request = request.into_inner();
        let form = Form {
            ethnicity: request.ethnicity,
            sex: request.sex,
            birth_date: request.birth_date,
            local_id_number: request.local_id_number,
            permit_number: request.permit_number,
            // What is not given stays as it is.
            email: String::new(),
        };
        let handle = self.handle.clone();
        rpc::run(&self.handle.lifecycle, async move { handle.change_profile(&asked, person, &form).await }).await?;
        Ok(Response::new(ChangeProfileResponse {}))
    }

    async fn find_person_by_number(
        &self,
        request: Request<FindPersonByNumberRequest>,
    ) -> Result<Response<FindPersonByNumberResponse>, Status> {
        let looking = looking(&Caller::of(&request));
        let lookups = request.into_inner().lookups;
        let mut violations = Violations::new();
        violations.check("lookups", lookups.len() <= MAX_LOOKUPS, "TOO_MANY", "一次最多查询500个证件号码。");
        violations.into_result()?;
        let lookups: Vec<Lookup> =
            lookups.into_iter().map(|lookup| Lookup { number: lookup.number, name: lookup.name }).collect();
        let matches = self.handle.find_by_number(&lookups).await?;
        for found in matches.iter().flatten() {
            self.handle.match_seen(looking.clone(), found.person);
        }
        let matches = matches.into_iter().map(|found| {
            found.map_or_else(PersonMatch::default, |found| PersonMatch {
                person_id: found.person.to_string(),
                name_matches: found.name_matches,
            })
        });
        Ok(Response::new(FindPersonByNumberResponse { matches: matches.collect() }))
    }

    async fn get_person_details(
        &self,
        request: Request<GetPersonDetailsRequest>,
    ) -> Result<Response<GetPersonDetailsResponse>, Status> {
        let caller = Caller::of(&request);
        let person = parse_question(&request.get_ref().person_id, &request.get_ref().purpose)?;
        // Applications has no power of its own here, only that of the person it acts for.
        let for_person = caller.service.as_deref() == Some(APPLICATIONS);
        if for_person && caller.person.as_ref().is_none_or(|own| own.id != person) {
            return Err(Error::NotFound.into());
        }
        let details = self.handle.details(person).await?;
        if for_person && !details.complete {
            return Err(Error::Rejected(Rejection::ProfileIncomplete).into());
        }
        self.handle.details_seen(looking(&caller), person, &request.get_ref().purpose);
        let known = details.personal;
        Ok(Response::new(GetPersonDetailsResponse {
            person_id: person.to_string(),
            document_type: details.document_type.code(),
            number: known.number,
            name: known.name,
            sex: known.sex,
            birth_date: known.birth_date,
            ethnicity: known.ethnicity,
            phone: known.phone,
            email: known.email,
        }))
    }

    async fn get_contact(&self, request: Request<GetContactRequest>) -> Result<Response<GetContactResponse>, Status> {
        let person = parse_question(&request.get_ref().person_id, &request.get_ref().purpose)?;
        let known = self.handle.details(person).await?.personal;
        self.handle.contact_seen(looking(&Caller::of(&request)), person, &request.get_ref().purpose);
        Ok(Response::new(GetContactResponse { name: known.name, phone: known.phone, email: known.email }))
    }
}

fn parse_question(person_id: &str, purpose: &str) -> Result<Uuid, Violations> {
    let mut violations = Violations::new();
    convert::purpose(purpose, &mut violations);
    let person = rpc::parse_uuid("person_id", person_id, &mut violations);
    person.filter(|_| violations.is_empty()).ok_or(violations)
}
