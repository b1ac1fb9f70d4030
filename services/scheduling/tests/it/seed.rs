//! `seed-directory`: the whole tree, and files, once and again.

use std::path::Path;

use eventlog::EventLog;
use proto::scheduling::v1::ListSchoolsRequest;
use scheduling::handle::Handle;
use scheduling::seed;
use scheduling::store::Aggregates;
use scheduling::views::schools::SchoolList;

use crate::harness::{World, agencies_of, eventually};

const AUTHORITIES: i64 = 3_338;

async fn head(log: &EventLog) -> i64 {
    sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM event_log").fetch_one(log.pool()).await.unwrap()
}

fn file(folder: &Path, name: &str, content: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn the_national_tree_is_seeded_once() {
    let world = World::start().await;
    let ground = &world.running.service.ground;
    let handle = Handle::new(ground.log.clone(), Aggregates::new(ground.log.clone()));
    let listings = SchoolList::new(ground.pool.clone());
    world.add_agency("320300", "徐州市教育局（原名）").await;
    let before = head(&ground.log).await;
    seed::directory(&handle, &listings, None, None).await.unwrap();
    assert_eq!(head(&ground.log).await, before + AUTHORITIES - 1);
    seed::directory(&handle, &listings, None, None).await.unwrap();
    assert_eq!(head(&ground.log).await, before + AUTHORITIES - 1, "seeding again has no effect");
    let names = eventually("the agencies of 徐州 to be listed", || async {
        let request = agencies_of("32", "3203");
        let listed = world.directory().list_agencies(request).await.ok()?.into_inner().agencies;
        (listed.len() == 13).then(|| listed.into_iter().map(|agency| agency.name).collect::<Vec<_>>())
    })
    .await;
    assert_eq!(names[..3], ["江苏省教育厅", "徐州市教育局（原名）", "鼓楼区教育局"]);
}

#[tokio::test]
async fn schools_and_points_come_from_files() {
    let world = World::start().await;
    let ground = &world.running.service.ground;
    let handle = Handle::new(ground.log.clone(), Aggregates::new(ground.log.clone()));
    let listings = SchoolList::new(ground.pool.clone());
    let folder = tempfile::tempdir().unwrap();
    let schools = file(
        folder.path(),
        "schools.csv",
        "name,division,agency,kind\n徐州市第一中学,320302,320300,34\n鼓楼小学,320302,320302,21\n",
    );
    let points = file(
        folder.path(),
        "points.csv",
        "name,agency,school_division,school\n徐州市第一中学,320300,320302,徐州市第一中学\n鼓楼区政务服务中心,320302,,\n",
    );
    let seed = async || seed::directory(&handle, &listings, Some(&schools), Some(&points)).await;
    seed().await.unwrap();
    let after = head(&ground.log).await;
    assert_eq!(after, AUTHORITIES + 4);
    seed().await.unwrap();
    assert_eq!(head(&ground.log).await, after, "seeding again has no effect");
    eventually("the schools to be listed", || async {
        let request = ListSchoolsRequest { division: "3203".to_owned(), ..ListSchoolsRequest::default() };
        let listed = world.directory().list_schools(request).await.unwrap().into_inner().schools;
        (listed.len() == 2).then_some(())
    })
    .await;
    let wrong = file(
        folder.path(),
        "wrong.csv",
        "name,division,agency,kind\n第二中学,320302,320300,34\n无区学校,3203,320300,34\n异地学校,320302,330000,34\n",
    );
    let refused = seed::directory(&handle, &listings, Some(&wrong), None).await.unwrap_err();
    assert!(matches!(refused, seed::SeedError::Refused { refused: 2, .. }), "{refused}");
    assert_eq!(head(&ground.log).await, after + 1, "good rows beside bad ones are taken");
}
