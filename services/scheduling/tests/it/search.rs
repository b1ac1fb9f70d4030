//! Schools found by a part of the name or of its pinyin initials, among many.

use proto::scheduling::v1::ListSchoolsRequest;
use scheduling::views::search::Keys;

use crate::harness::{World, eventually};

/// Schools of the crowd: enough that reading all of them is never the plan.
const CROWD: usize = 20_000;

async fn found(world: &World, division: &str, query: &str) -> Vec<String> {
    let (division, query) = (division.to_owned(), query.to_owned());
    let request = ListSchoolsRequest { division, query, ..ListSchoolsRequest::default() };
    let listed = world.directory().list_schools(request).await.unwrap().into_inner().schools;
    listed.into_iter().map(|school| school.name).collect()
}

#[tokio::test]
async fn schools_are_found_by_every_reading_of_their_names() {
    let world = World::start().await;
    let [_, xuzhou, _] = world.agencies().await;
    for name in ["重庆路小学", "徐州市第一中学", "长乐幼儿园（ABC园）"] {
        world.add_school(&xuzhou, name).await;
    }
    eventually("the schools to be listed", || async { (found(&world, "32", "").await.len() == 3).then_some(()) }).await;
    for (query, expected) in [
        ("cqlxx", "重庆路小学"),
        ("ZQL", "重庆路小学"),
        ("重庆", "重庆路小学"),
        ("zx", "徐州市第一中学"),
        ("第一", "徐州市第一中学"),
        ("cl", "长乐幼儿园（ABC园）"),
        ("zy", "长乐幼儿园（ABC园）"),
        ("abc", "长乐幼儿园（ABC园）"),
        ("ABC园", "长乐幼儿园（ABC园）"),
    ] {
        assert_eq!(found(&world, "3203", query).await, [expected], "{query}");
    }
    for query in ["qz", "中小", "xzx", "%", "_", ".*", "zzzz", "路 小"] {
        assert!(found(&world, "3203", query).await.is_empty(), "{query}");
    }
    assert_eq!(found(&world, "3203", "x").await.len(), 2, "a letter alone finds those that hold it");
    assert!(found(&world, "3201", "cq").await.is_empty(), "elsewhere");
}

/// Puts schools into the table of the view as the view does.
async fn crowd(world: &World) {
    let crowd = (0..CROWD).map(|n| format!("徐州市第{n}中心小学"));
    let names: Vec<String> = crowd.chain(["鸥鸥幼儿园".to_owned()]).collect();
    let keys: Vec<Keys> = names.iter().map(|name| Keys::of(name)).collect();
    sqlx::query(
        "INSERT INTO views.listed_school \
         SELECT gen_random_uuid(), name, '320302', gen_random_uuid(), '21', initials, string_to_array(pairs, chr(31)) \
         FROM unnest($1::text[], $2::text[], $3::text[]) AS added (name, initials, pairs)",
    )
    .bind(names)
    .bind(keys.iter().map(|keys| keys.initials.clone()).collect::<Vec<_>>())
    .bind(keys.iter().map(|keys| keys.pairs.join("\u{1f}")).collect::<Vec<_>>())
    .execute(&world.running.service.ground.pool)
    .await
    .unwrap();
    // As the database does by itself in time: until then what was just put in waits outside of the index.
    sqlx::raw_sql("VACUUM ANALYZE views.listed_school").execute(&world.running.service.ground.pool).await.unwrap();
}

#[tokio::test]
async fn one_school_among_many_is_found_through_the_index() {
    let world = World::start().await;
    crowd(&world).await;
    let pool = &world.running.service.ground.pool;
    let scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'listed_school_by_pair'";
    for query in ["oo", "鸥鸥"] {
        let before: i64 = sqlx::query_scalar(scans).fetch_one(pool).await.unwrap();
        // Connections report what they did once a second.
        eventually("the index to have served", || async {
            assert_eq!(found(&world, "32", query).await, ["鸥鸥幼儿园"]);
            let after: i64 = sqlx::query_scalar(scans).fetch_one(pool).await.unwrap();
            (after > before).then_some(())
        })
        .await;
    }
    assert_eq!(found(&world, "32", "d19876z").await, ["徐州市第19876中心小学"]);
    assert_eq!(found(&world, "32", "xzsd").await.len(), 50, "what all have fills a page");
}
