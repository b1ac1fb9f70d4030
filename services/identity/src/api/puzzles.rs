//! `PuzzleSignIn`: a puzzle, then number, password and its answer.

use proto::identity::v1::puzzle_sign_in_server;
use proto::identity::v1::{MakePuzzleRequest, MakePuzzleResponse, SignInRequest, SignInResponse};
use rpc::Violations;
use tonic::{Request, Response, Status};

use super::{convert, origin};
use crate::handle::{Answered, Handle};

/// The RPC service.
#[derive(Debug, Clone)]
pub struct PuzzleSignIn {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl puzzle_sign_in_server::PuzzleSignIn for PuzzleSignIn {
    async fn make_puzzle(&self, request: Request<MakePuzzleRequest>) -> Result<Response<MakePuzzleResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let mut violations = Violations::new();
        let document = convert::document(
            &self.handle.document_types,
            request.get_ref().document_type,
            &request.get_ref().number,
            &mut violations,
        );
        let Some(document) = document else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let posed =
            rpc::run(&self.handle.lifecycle, async move { handle.make_puzzle(&document, origin).await }).await?;
        Ok(Response::new(MakePuzzleResponse {
            puzzle_id: posed.id.to_string(),
            picture: posed.picture.whole.into(),
            piece: posed.picture.piece.into(),
            piece_top: posed.top.into(),
            expire_time: Some(rpc::timestamp(posed.expires_at)),
        }))
    }

    async fn sign_in(&self, request: Request<SignInRequest>) -> Result<Response<SignInResponse>, Status> {
        let origin = origin::of(&request, &self.handle);
        let request = request.into_inner();
        let mut violations = Violations::new();
        let document =
            convert::document(&self.handle.document_types, request.document_type, &request.number, &mut violations);
        let password = convert::known_password("password", request.password, &mut violations);
        let entry = convert::entry(request.entry, &mut violations);
        let puzzle = rpc::parse_uuid("puzzle_id", &request.puzzle_id, &mut violations);
        let (Some(document), Some(entry), Some(id), true) = (document, entry, puzzle, violations.is_empty()) else {
            return Err(violations.into());
        };
        let (handle, answered) = (self.handle.clone(), Answered { id, offset: request.offset });
        let signing_in = async move { handle.sign_in(&document, password, entry, answered, origin).await };
        let signed_in = rpc::run(&self.handle.lifecycle, signing_in).await?;
        let subject = convert::subject(&signed_in.tokens);
        let answer = SignInResponse {
            tokens: Some(convert::tokens(signed_in.tokens)),
            profile_complete: signed_in.profile_complete,
            second_factor: convert::next_step(signed_in.next_step).into(),
        };
        Ok(convert::signed_in(answer, subject))
    }
}
