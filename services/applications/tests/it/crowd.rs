//! A crowd of applications in every standing, put into the view at once, as if filed before all others: for lists and
//! counts of more than one would file.

use std::sync::atomic::{AtomicU32, Ordering};

use applications::domain::enrolment_number::EnrolmentNumber;
use proto::applications::v1 as wire;
use proto::applications::v1::statistics_client::StatisticsClient;
use proto::scheduling::v1 as scheduling;
use proto::types::v1::AgencyLevel;
use uuid::Uuid;

use crate::stage::{CITY, COUNTY, OTHER_POINT, POINT, PROVINCE, SCHOOL, Stage, eventually};

pub(crate) const OTHER_COUNTY: Uuid = Uuid::from_u128(0x33);
pub(crate) const OTHER_SCHOOL: Uuid = Uuid::from_u128(0x23);

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()]
    }
}

struct Member {
    number: String,
    agency: Uuid,
}

pub(crate) struct Crowd {
    members: Vec<Member>,
}

const INSERT: &str = "INSERT INTO views.application (certificate_id, enrolment_number, person_id, draft_id, agency_id, \
     point_id, school_id, stage, ordinal, status, level, conclusion, mending, refused, facts, version, position, \
     submitted_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $13, $14, 1, $15, \
     clock_timestamp() - make_interval(secs => $16), clock_timestamp())";

impl Crowd {
    /// So many more, at random places and standings, each newer than those before.
    pub(crate) async fn settle(stage: &Stage, count: u32) -> Self {
        let pool = &stage.running.service.ground.pool;
        let mut tx = pool.begin().await.unwrap();
        let mut members = Vec::new();
        for _ in 0..count {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let mut dice = Dice::new(u64::from(serial) + 1);
            for _ in 0..8 {
                dice.below(2);
            }
            let number = EnrolmentNumber::new(2026, "320303", serial).unwrap().to_string();
            let status = dice.one_of(&[1, 1, 2, 2, 3, 4]);
            let mending = status == 1 && dice.coin();
            let level = if status == 2 { dice.one_of(&[2, 3, 4]) } else { 0 };
            let conclusion = if status == 3 { dice.one_of(&[1, 2, 3, 4]) } else { 0 };
            let agency = dice.one_of(&[COUNTY, COUNTY, OTHER_COUNTY, CITY, PROVINCE, Uuid::from_u128(0x404)]);
            sqlx::query(INSERT)
                .bind(lifecycle::ids::random())
                .bind(&number)
                .bind(Uuid::from_u128(0x900 + u128::from(dice.below(4))))
                .bind(lifecycle::ids::random())
                .bind(agency)
                .bind(dice.one_of(&[POINT, OTHER_POINT]))
                .bind(dice.one_of(&[SCHOOL, OTHER_SCHOOL]))
                .bind(dice.one_of(&[1, 2, 3, 4, 5]))
                .bind(status)
                .bind(level)
                .bind(conclusion)
                .bind(mending)
                .bind(mending && dice.coin())
                .bind(dice.coin())
                .bind(i64::from(serial) - 1_000_000)
                .bind(f64::from(u32::try_from(dice.below(100)).unwrap()) * 3_600.0)
                .execute(&mut *tx)
                .await
                .unwrap();
            members.push(Member { number, agency });
        }
        tx.commit().await.unwrap();
        Self { members }
    }

    /// Those of the stage's own agencies, newest first.
    pub(crate) fn of_the_province(&self) -> Vec<&str> {
        let of_the_province = |member: &&Member| [COUNTY, CITY, PROVINCE].contains(&member.agency);
        self.members.iter().rev().filter(of_the_province).map(|member| member.number.as_str()).collect()
    }

    /// Every one of them gets another standing.
    pub(crate) async fn change_everything(&self, stage: &Stage) {
        let numbers: Vec<&str> = self.members.iter().map(|member| member.number.as_str()).collect();
        sqlx::query(
            "UPDATE views.application SET status = 1 + status % 4, facts = NOT facts, version = version + 1, \
                 updated_at = clock_timestamp() WHERE enrolment_number = ANY($1)",
        )
        .bind(numbers)
        .execute(&stage.running.service.ground.pool)
        .await
        .unwrap();
    }
}

/// One more county below the city, known to the memory of the service.
pub(crate) async fn add_county(stage: &Stage) {
    let agency = scheduling::Agency {
        agency_id: OTHER_COUNTY.to_string(),
        division: "320311".to_owned(),
        name: "320311教育局".to_owned(),
        level: AgencyLevel::County.into(),
        parent_agency_id: CITY.to_string(),
    };
    let added = scheduling::AgencyAdded { agency: Some(agency) };
    stage.running.neighbour("scheduling").publish(OTHER_COUNTY, "320311", &added).await;
    let city = StatisticsClient::new(stage.reviewer(CITY).await);
    Crowd::settle(stage, 40).await;
    eventually("the county in memory", || {
        let mut city = city.clone();
        async move {
            let by = vec![wire::CountBy::Agency.into()];
            let request = wire::CountApplicationsRequest { by, ..Default::default() };
            let counted = city.count_applications(request).await.unwrap().into_inner();
            counted.counts.iter().any(|count| count.agency_id == OTHER_COUNTY.to_string()).then_some(())
        }
    })
    .await;
}
