//! `Statistics`: how many applications a list would hold.

use access::Caller;
use eventbus::BusHandle;
use proto::applications::v1 as wire;
use proto::applications::v1::statistics_server::Statistics;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::request::{Parsing, viewer};
use super::status::reached;
use crate::handle::{Count, Handle};
use crate::views::applications::{APPLICATIONS, Dimension, Group};

/// The service.
#[derive(Clone)]
pub struct StatisticsApi {
    /// Use cases.
    pub handle: Handle,
    /// Waits for views.
    pub bus: BusHandle,
}

#[tonic::async_trait]
impl Statistics for StatisticsApi {
    async fn count_applications(
        &self,
        request: Request<wire::CountApplicationsRequest>,
    ) -> Result<Response<wire::CountApplicationsResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let filter = parsing.filter(&message.filter.unwrap_or_default());
        let mut by: Vec<Dimension> = Vec::new();
        for asked in &message.by {
            match dimension(*asked) {
                Some(dimension) if by.contains(&dimension) => {}
                Some(dimension) => by.push(dimension),
                None => parsing.violations().add("by", "UNKNOWN_VALUE", "分组项无法识别，请重新选择。"),
            }
        }
        parsing.done()?;
        reached(&self.bus, APPLICATIONS, message.min_position).await?;
        let selection = self.handle.selection(&viewer, filter)?;
        let (total, groups) = self.handle.count(&selection, &by).await?;
        let counts = groups.iter().map(|(group, count)| render(group, count)).collect();
        Ok(Response::new(wire::CountApplicationsResponse { total, counts }))
    }
}

fn dimension(number: i32) -> Option<Dimension> {
    Some(match wire::CountBy::try_from(number).ok()? {
        wire::CountBy::Agency => Dimension::Agency,
        wire::CountBy::Stage => Dimension::Stage,
        wire::CountBy::School => Dimension::School,
        wire::CountBy::Point => Dimension::Point,
        wire::CountBy::Status => Dimension::Status,
        wire::CountBy::Level => Dimension::Level,
        wire::CountBy::Conclusion => Dimension::Conclusion,
        wire::CountBy::Unspecified => return None,
    })
}

fn render(group: &Group, count: &Count) -> wire::ApplicationCount {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    wire::ApplicationCount {
        agency_id: id(group.agency),
        stage: group.stage,
        school_id: id(group.school),
        point_id: id(group.point),
        status: group.status,
        level: group.level,
        conclusion: group.conclusion,
        count: count.count,
        count_with_below: count.with_below,
    }
}
