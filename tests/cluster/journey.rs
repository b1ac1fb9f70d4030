//! One teacher from account to conclusion; afterwards every log verifies and every view can be built anew.

use cluster::{Cluster, Service, seed, walk};

use crate::checks;

#[tokio::test]
async fn a_teacher_walks_from_account_to_conclusion_and_the_views_rebuild_alike() {
    let cluster = Cluster::start().await.unwrap();
    let mut seeded = seed::fill(&cluster, 50, &|_| {}).await.unwrap();
    let said = std::sync::Mutex::new(Vec::new());
    walk::walk(cluster.layout(), &mut seeded, &|line| said.lock().unwrap().push(line.to_owned())).await.unwrap();
    let said = said.into_inner().unwrap().join("\n");
    for word in ["报名号", "PENDING_ONLINE_CONFIRMATION", "CONFIRMED", "CONCLUDED"] {
        assert!(said.contains(word), "{word} was not said:\n{said}");
    }

    let operator = checks::operator(&cluster).await;
    checks::everything_catches_up(&cluster, &operator).await;
    checks::every_log_verifies(&cluster, &operator).await;
    for service in Service::ALL {
        checks::views_rebuild_alike(&cluster, &operator, service).await;
        checks::the_stream_equals_the_log(&cluster, service).await;
    }
}
