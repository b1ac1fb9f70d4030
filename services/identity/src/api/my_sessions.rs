//! `MySessions`: the caller's own sessions, listed and ended.

use access::Caller;
use proto::identity::v1::my_sessions_server;
use proto::identity::v1::{
    EndMyOtherSessionsRequest, EndMyOtherSessionsResponse, EndMySessionRequest, EndMySessionResponse,
    ListMySessionsRequest, ListMySessionsResponse, Session,
};
use rpc::Violations;
use tonic::{Request, Response, Status};

use crate::handle::Handle;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct MySessions {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl my_sessions_server::MySessions for MySessions {
    async fn list_my_sessions(
        &self,
        request: Request<ListMySessionsRequest>,
    ) -> Result<Response<ListMySessionsResponse>, Status> {
        let caller = Caller::of(&request);
        let person = caller.signed_in()?;
        let sessions = self.handle.own_sessions(person.id).await?;
        let sessions = sessions.into_iter().map(|kept| Session {
            session_id: kept.id.to_string(),
            entry: kept.entry.code().into(),
            start_time: Some(rpc::timestamp(kept.session.started_at)),
            last_use_time: Some(rpc::timestamp(kept.session.used_at)),
            current: kept.id == person.session,
        });
        Ok(Response::new(ListMySessionsResponse { sessions: sessions.collect() }))
    }

    async fn end_my_session(
        &self,
        request: Request<EndMySessionRequest>,
    ) -> Result<Response<EndMySessionResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let mut violations = Violations::new();
        let session = rpc::parse_uuid("session_id", &request.get_ref().session_id, &mut violations);
        let Some(session) = session else { return Err(violations.into()) };
        let handle = self.handle.clone();
        rpc::run(&self.handle.lifecycle, async move { handle.end_own_session(person, session).await }).await?;
        Ok(Response::new(EndMySessionResponse {}))
    }

    async fn end_my_other_sessions(
        &self,
        request: Request<EndMyOtherSessionsRequest>,
    ) -> Result<Response<EndMyOtherSessionsResponse>, Status> {
        let caller = Caller::of(&request);
        let (person, current) = caller.signed_in().map(|person| (person.id, person.session))?;
        let handle = self.handle.clone();
        let ending = async move { handle.end_other_sessions(person, current).await };
        let ended = rpc::run(&self.handle.lifecycle, ending).await?;
        Ok(Response::new(EndMyOtherSessionsResponse { ended: i32::try_from(ended).unwrap_or(i32::MAX) }))
    }
}
