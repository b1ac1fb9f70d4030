//! The end of an agency and its windows: neither without the other knowing.

use proto::scheduling::v1::{
    AbolishAgencyRequest, Agency, CancelWindowRequest, CloseWindowRequest, ExtendWindowRequest, OpenWindowRequest,
    Window,
};
use scheduling::domain::shanghai;
use time::Duration;

use crate::harness::{World, at, reason, refused, request_id};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn abolish(agency: &Agency, days: i64) -> AbolishAgencyRequest {
    let day = shanghai::day(lifecycle::clock::now()) + Duration::days(days);
    AbolishAgencyRequest {
        request_id: request_id(),
        agency_id: agency.agency_id.clone(),
        effective_date: rpc::render_date(day),
        successor_agency_id: String::new(),
    }
}

fn open(plan: &str, agency: &Agency, (begin, end): (i64, i64)) -> OpenWindowRequest {
    OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan.to_owned(),
        agency_id: agency.agency_id.clone(),
        begin_time: at(begin),
        end_time: at(end),
        grace_minutes: 30,
    }
}

async fn opened(world: &World, plan: &str, agency: &Agency, span: (i64, i64)) -> Window {
    world.plans().open_window(open(plan, agency, span)).await.unwrap().into_inner().window.unwrap()
}

#[tokio::test]
async fn an_agency_does_not_end_before_its_windows_nor_a_window_after_its_agency() {
    let world = World::start().await;
    let [_, _, gulou] = world.agencies().await;
    let plan = world.publish_plan().await;
    world.join(&plan, &gulou).await;
    let now = opened(&world, &plan, &gulou, (-HOUR, HOUR)).await;
    let ahead = opened(&world, &plan, &gulou, (3 * DAY, 4 * DAY)).await;
    // In the past it would end at once.
    for days in [-400, 0] {
        let refusal = refused(world.directory().abolish_agency(abolish(&gulou, days)).await);
        assert!(refusal.reason == "WINDOW_NOT_OVER" && refusal.sentence.contains("提前截止"), "{refusal:?}");
    }
    assert_eq!(reason(world.directory().abolish_agency(abolish(&gulou, 2)).await), "WINDOW_NOT_OVER", "one is ahead");
    let (plan_id, window_id) = (plan.clone(), ahead.window_id.clone());
    let cancel = CancelWindowRequest { request_id: request_id(), plan_id, window_id };
    world.plans().cancel_window(cancel).await.unwrap();
    let earlier = CloseWindowRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        window_id: now.window_id.clone(),
        end_time: at(HOUR / 2),
    };
    world.plans().close_window(earlier).await.unwrap();
    assert_eq!(reason(world.directory().abolish_agency(abolish(&gulou, 0)).await), "WINDOW_NOT_OVER", "it goes on");
    let request = abolish(&gulou, 2);
    let ended = world.directory().abolish_agency(request.clone()).await.unwrap().into_inner();
    assert_eq!(world.directory().abolish_agency(request).await.unwrap().into_inner(), ended, "one effect");
    world.directory().abolish_agency(abolish(&gulou, 2)).await.unwrap();

    let extend = |end| ExtendWindowRequest {
        request_id: request_id(),
        plan_id: plan.clone(),
        window_id: now.window_id.clone(),
        end_time: at(end),
    };
    assert_eq!(reason(world.plans().extend_window(extend(3 * DAY)).await), "AGENCY_ABOLISHED");
    world.plans().extend_window(extend(HOUR)).await.unwrap();
    assert_eq!(reason(world.plans().open_window(open(&plan, &gulou, (2 * HOUR, 3 * DAY))).await), "AGENCY_ABOLISHED");
    opened(&world, &plan, &gulou, (2 * HOUR, 3 * HOUR)).await;
}

#[tokio::test]
async fn of_an_end_and_a_window_that_are_decided_at_once_one_is_refused() {
    let world = World::start().await;
    world.agencies().await;
    let plan = world.publish_plan().await;
    for division in ["320303", "320305", "320311", "320312", "320321", "320322"] {
        let agency = world.add_agency(division, &format!("{division}教育局")).await;
        world.join(&plan, &agency).await;
        let held = world.hold().await;
        let releasing = async {
            world.decided().await;
            held.rollback().await.unwrap();
        };
        let (mut directory, mut plans) = (world.directory(), world.plans());
        let ending = directory.abolish_agency(abolish(&agency, 1));
        let opening = plans.open_window(open(&plan, &agency, (HOUR, 3 * DAY)));
        let (ended, opened, ()) = tokio::join!(ending, opening, releasing);
        match (ended, opened) {
            (Ok(_), refused) => assert_eq!(reason(refused), "AGENCY_ABOLISHED"),
            (refused, Ok(_)) => assert_eq!(reason(refused), "WINDOW_NOT_OVER"),
            (Err(ended), Err(opened)) => panic!("both are refused: {ended}, {opened}"),
        }
    }
}
