//! What identity knows in these tests: a few people, by id, number and name.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use proto::identity::v1 as wire;
use proto::identity::v1::profiles_server::{Profiles, ProfilesServer};
use service::testing::Neighbour;
use tokio::sync::OwnedMutexGuard;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// A person with an account.
#[derive(Clone)]
pub struct Somebody {
    pub id: Uuid,
    pub number: &'static str,
    pub name: &'static str,
}

/// The people, shared with the test.
#[derive(Clone, Default)]
pub struct People(Arc<Mutex<Vec<Somebody>>>, Arc<AtomicBool>, Arc<tokio::sync::Mutex<()>>);

impl People {
    /// Ends an account.
    pub fn remove(&self, id: Uuid) {
        self.0.lock().unwrap().retain(|somebody| somebody.id != id);
    }

    /// Whether it was asked who has a number, and has answered.
    pub fn was_asked(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }

    /// Lets nobody know who has a number, until what it gives is dropped.
    pub async fn hold(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.2).lock_owned().await
    }

    /// Opens an account.
    pub fn add(&self, somebody: &Somebody) {
        self.0.lock().unwrap().push(somebody.clone());
    }
}

impl People {
    /// Gives somebody another name.
    pub fn rename(&self, id: Uuid, name: &'static str) {
        let mut people = self.0.lock().unwrap();
        people.iter_mut().find(|somebody| somebody.id == id).unwrap().name = name;
    }
}

/// A neighbour with these people.
pub async fn start(people: &People) -> Neighbour {
    Neighbour::start("identity", rpc::Surface::new().offer(ProfilesServer::new(people.clone()))).await
}

#[tonic::async_trait]
impl Profiles for People {
    async fn get_profile(
        &self,
        _: Request<wire::GetProfileRequest>,
    ) -> Result<Response<wire::GetProfileResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn complete_profile(
        &self,
        _: Request<wire::CompleteProfileRequest>,
    ) -> Result<Response<wire::CompleteProfileResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn change_profile(
        &self,
        _: Request<wire::ChangeProfileRequest>,
    ) -> Result<Response<wire::ChangeProfileResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn find_person_by_number(
        &self,
        request: Request<wire::FindPersonByNumberRequest>,
    ) -> Result<Response<wire::FindPersonByNumberResponse>, Status> {
        drop(self.2.lock().await);
        let people = self.0.lock().unwrap();
        let matches = request.into_inner().lookups.into_iter().map(|lookup| {
            match people.iter().find(|somebody| somebody.number == lookup.number) {
                Some(found) => {
                    wire::PersonMatch { person_id: found.id.to_string(), name_matches: found.name == lookup.name }
                }
                None => wire::PersonMatch::default(),
            }
        });
        let matches = matches.collect();
        self.1.store(true, Ordering::SeqCst);
        Ok(Response::new(wire::FindPersonByNumberResponse { matches }))
    }

    async fn get_person_details(
        &self,
        request: Request<wire::GetPersonDetailsRequest>,
    ) -> Result<Response<wire::GetPersonDetailsResponse>, Status> {
        let id = request.into_inner().person_id;
        let people = self.0.lock().unwrap();
        let found = people.iter().find(|somebody| somebody.id.to_string() == id);
        let found = found.ok_or_else(|| Status::not_found("nobody"))?;
        Ok(Response::new(wire::GetPersonDetailsResponse {
            person_id: id,
            number: found.number.to_owned(),
            name: found.name.to_owned(),
            ..Default::default()
        }))
    }

    async fn get_contact(
        &self,
        _: Request<wire::GetContactRequest>,
    ) -> Result<Response<wire::GetContactResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}
