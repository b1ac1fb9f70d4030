//! The log's filling: applications from submission to conclusion and beyond, in the mixtures that happen, made of the events of one real
//! walk and appended one command after the other through the log's own writer, each with its request.

use cluster::failure::Doing as _;
use cluster::{Failure, Result};
use eventlog::{Append, Division, EventLog, NewEvent, Recorded, RequestKey, digest};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prost::{Message, Name};
use proto::applications::v1 as wire;
use proto::applications::v1::ReviewLevel::{City, County, Province};
use proto::types::v1::Conclusion;
use rand::Rng as _;
use uuid::Uuid;

/// Lives in hand at a time: some batches of the writer.
const AT_ONCE: usize = 1_024;
/// Units that the applications are spread over; each county has its points and schools.
const COUNTIES: u32 = 100;
const POINTS_EACH: u32 = 20;

/// What happens in a life, after the submission.
#[derive(Clone, Copy)]
enum Step {
    Facts,
    Refused,
    Amended,
    Confirmed,
    Returned,
    PassedCounty,
    PassedCity,
    BackToCounty,
    Concluded(Conclusion),
    PublicityBegun,
    PublicityEnded,
    Objected,
    Settled,
    Printed,
    Proposed,
    Reversed,
}
use Step::{
    Amended, BackToCounty, Concluded, Confirmed, Facts, Objected, PassedCity, PassedCounty, Printed, Proposed,
    PublicityBegun, PublicityEnded, Refused, Returned, Reversed, Settled,
};

/// Lives of 8 to 12 events (DOMAIN 7), the submission included.
const LIVES: [&[Step]; 6] = [
    &[Facts, Confirmed, PassedCounty, PassedCity, Concluded(Conclusion::Qualified), PublicityBegun, PublicityEnded],
    &[
        Facts,
        Confirmed,
        PassedCounty,
        PassedCity,
        Concluded(Conclusion::Qualified),
        PublicityBegun,
        PublicityEnded,
        Printed,
    ],
    &[
        Facts,
        Refused,
        Amended,
        Facts,
        Confirmed,
        PassedCounty,
        PassedCity,
        Concluded(Conclusion::Qualified),
        PublicityBegun,
        PublicityEnded,
        Printed,
    ],
    &[
        Facts,
        Confirmed,
        Returned,
        Amended,
        Confirmed,
        PassedCounty,
        PassedCity,
        Concluded(Conclusion::Deferred),
        PublicityBegun,
    ],
    &[
        Facts,
        Confirmed,
        PassedCounty,
        BackToCounty,
        PassedCounty,
        PassedCity,
        Concluded(Conclusion::Qualified),
        PublicityBegun,
        Objected,
        Settled,
        PublicityEnded,
    ],
    &[
        Facts,
        Confirmed,
        PassedCounty,
        PassedCity,
        Concluded(Conclusion::Failed),
        Proposed,
        Reversed,
        Concluded(Conclusion::Deferred),
        PublicityBegun,
    ],
];
/// After it the certificate may be applied for again at once.
const DEFERRED: &[Step] = LIVES[3];

/// What every life is made of.
pub struct Mould {
    submitted: wire::ApplicationSubmitted,
    sealed_form: Vec<u8>,
    sealed_text: Vec<u8>,
    facts: Vec<u8>,
    concluded: wire::ApplicationConcluded,
    grounds: Vec<u8>,
}

impl Mould {
    /// From the log that holds one real walk.
    pub async fn of(log: &EventLog) -> Result<Self> {
        let recorded = log.read(0, 10_000).await.doing(|| "read the log".into())?;
        let find = |name: String| {
            let found = recorded.iter().find(|event| event.kind == name);
            found.ok_or_else(|| Failure::new(format!("the walk left no {name}")))
        };
        let submitted = find(wire::ApplicationSubmitted::full_name())?;
        let concluded = find(wire::ApplicationConcluded::full_name())?;
        Ok(Self {
            submitted: read(submitted),
            sealed_form: submitted.sealed.clone(),
            sealed_text: find(wire::ReviewPassed::full_name())?.sealed.clone(),
            facts: find(wire::FactsRecorded::full_name())?.inner.clone(),
            concluded: read(concluded),
            grounds: concluded.inner.clone(),
        })
    }
}

fn read<M: Message + Default>(event: &Recorded) -> M {
    M::decode(&event.payload[..]).expect("the log holds what was written")
}

/// Fills the log until it has so many events; `said` is told now and then how many there are.
pub async fn fill(log: &EventLog, mould: &Mould, events: i64, said: &(dyn Fn(i64) + Sync)) -> Result<()> {
    let first = *log.head().borrow();
    let mut left = events - first;
    let mut serial = 0_u32;
    let lives = std::iter::from_fn(|| {
        (left > 0).then(|| {
            let steps = LIVES[rand::rng().random_range(0..LIVES.len())];
            left -= i64::try_from(steps.len() + 1).expect("a dozen");
            serial += 1;
            (serial, steps)
        })
    });
    stream::iter(lives)
        .map(|(serial, steps)| async move {
            let certificate = lifecycle::ids::random();
            live(log, mould, certificate, 0, serial, steps).await?;
            if serial.is_multiple_of(50_000) {
                said(*log.head().borrow());
            }
            Ok::<_, Failure>(())
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |()| Ok(()))
        .await
}

/// Gives these certificates a long past: four applications each, all 暂缓, so that the next one may be filed.
pub async fn give_a_past(log: &EventLog, mould: &Mould, certificates: &[Uuid], serial: u32) -> Result<()> {
    stream::iter(certificates.iter().zip(0..))
        .map(|(certificate, number)| async move {
            let mut version = 0;
            for life in 0..4 {
                version = live(log, mould, *certificate, version, serial + number * 4 + life, DEFERRED).await?;
            }
            Ok::<_, Failure>(())
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |()| Ok(()))
        .await
}

/// One application, one command after the other; the record's version afterwards.
async fn live(
    log: &EventLog,
    mould: &Mould,
    certificate: Uuid,
    mut version: i64,
    serial: u32,
    steps: &[Step],
) -> Result<i64> {
    let application = Application::new(mould, certificate, serial);
    let submitted = std::iter::once(application.submitted());
    for event in submitted.chain(steps.iter().map(|step| application.step(*step))) {
        let actor = lifecycle::ids::random();
        let append = Append {
            stream: certificate,
            expected_version: version,
            events: vec![event],
            actor: format!("person:{actor}"),
            request: Some(RequestKey {
                id: lifecycle::ids::random(),
                fingerprint: digest(actor.as_bytes()),
                answer: vec![1; 60],
            }),
            claims: Vec::new(),
            not_before: None,
            not_after: None,
            traceparent: None,
            cause: None,
        };
        version = log.append(append).await.doing(|| "append".into())?.version;
    }
    Ok(version)
}

/// One application of the mould.
struct Application<'a> {
    mould: &'a Mould,
    certificate_id: String,
    enrolment_number: String,
    form: wire::CodedPart,
    division: Division,
}

impl<'a> Application<'a> {
    fn new(mould: &'a Mould, certificate: Uuid, serial: u32) -> Self {
        let county = serial % COUNTIES;
        let point = rand::rng().random_range(0..POINTS_EACH);
        let unit = |kind: u128| Uuid::from_u128(kind << 64 | u128::from(county) << 32 | u128::from(point));
        let agency = Uuid::from_u128(1 << 64 | u128::from(county));
        let form = wire::CodedPart {
            agency_id: agency.to_string(),
            point_id: unit(2).to_string(),
            school_id: unit(3).to_string(),
            ..mould.submitted.form.clone().expect("a submission has its form")
        };
        let code = format!("33{:04}", 100 + county);
        Self {
            mould,
            certificate_id: certificate.to_string(),
            enrolment_number: enrolment_number(&code, serial / COUNTIES),
            form,
            division: Division::parse(&code).expect("six digits"),
        }
    }

    fn submitted(&self) -> NewEvent {
        let person_id = lifecycle::ids::random().to_string();
        let draft_id = lifecycle::ids::random().to_string();
        let submitted = wire::ApplicationSubmitted {
            certificate_id: self.certificate_id.clone(),
            enrolment_number: self.enrolment_number.clone(),
            person_id,
            form: Some(self.form.clone()),
            ..self.mould.submitted.clone()
        };
        let inner = wire::SubmissionInner { draft_id }.encode_to_vec();
        self.event(&submitted, inner, self.mould.sealed_form.clone())
    }

    fn step(&self, step: Step) -> NewEvent {
        let (certificate_id, enrolment_number) = (self.certificate_id.clone(), self.enrolment_number.clone());
        let nothing = Vec::new;
        let text = || self.mould.sealed_text.clone();
        // Every event begins with the same two fields.
        macro_rules! event {
            ($message:ident { $($field:ident: $value:expr),* }, $inner:expr, $sealed:expr) => {
                self.event(&wire::$message { certificate_id, enrolment_number, $($field: $value),* }, $inner, $sealed)
            };
        }
        let [county, city, province] = [County, City, Province].map(i32::from);
        let point = self.form.point_id.clone();
        let rules = (self.mould.submitted.rule_set_province.clone(), self.mould.submitted.rule_set_version);
        let at = Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 0 });
        match step {
            Facts => {
                event!(
                    FactsRecorded { by_role: "clerk".to_owned(), unit_id: point },
                    self.mould.facts.clone(),
                    nothing()
                )
            }
            Refused => event!(ConfirmationRefused { point_id: point }, nothing(), text()),
            Amended => {
                let amended = wire::ApplicationAmended {
                    certificate_id,
                    enrolment_number,
                    form_version: 2,
                    form: Some(self.form.clone()),
                    pledge_version: self.mould.submitted.pledge_version,
                    pledge_digest: self.mould.submitted.pledge_digest.clone(),
                    route: self.mould.submitted.route.clone(),
                    rule_set_province: rules.0,
                    rule_set_version: rules.1,
                };
                self.event(&amended, nothing(), self.mould.sealed_form.clone())
            }
            Confirmed => {
                let (rule_set_province, rule_set_version) = rules;
                event!(
                    ApplicationConfirmed {
                        point_id: point,
                        level: county,
                        rule_set_province: rule_set_province,
                        rule_set_version: rule_set_version
                    },
                    nothing(),
                    nothing()
                )
            }
            Returned => event!(ApplicationReturned { by_role: "clerk".to_owned() }, nothing(), text()),
            PassedCounty => event!(ReviewPassed { level: county, next_level: city }, nothing(), text()),
            PassedCity => event!(ReviewPassed { level: city, next_level: province }, nothing(), text()),
            BackToCounty => event!(ReviewSentBack { level: city, to_level: county }, nothing(), text()),
            Concluded(conclusion) => {
                let concluded = wire::ApplicationConcluded {
                    certificate_id,
                    enrolment_number,
                    conclusion: conclusion.into(),
                    ..self.mould.concluded.clone()
                };
                self.event(&concluded, self.mould.grounds.clone(), nothing())
            }
            PublicityBegun => {
                let (rule_set_province, rule_set_version) = rules;
                event!(
                    PublicityBegun {
                        time: at,
                        planned_end_date: String::new(),
                        rule_set_province: rule_set_province,
                        rule_set_version: rule_set_version
                    },
                    nothing(),
                    nothing()
                )
            }
            PublicityEnded => event!(PublicityEnded { time: at }, nothing(), nothing()),
            Objected => event!(ObjectionRecorded {}, nothing(), text()),
            Settled => event!(ObjectionSettled {}, nothing(), text()),
            Printed => event!(CertificateNotePrinted {}, nothing(), nothing()),
            Proposed => {
                let proposed_by = lifecycle::ids::random().to_string();
                let file_reference = "示例〔2026〕1号".to_owned();
                let inner = wire::ReversalInner { proposed_by, file_reference }.encode_to_vec();
                event!(ReversalProposed { revoke: false }, inner, text())
            }
            Reversed => event!(ConclusionReversed { level: province }, nothing(), nothing()),
        }
    }

    fn event<M: Message + Name>(&self, message: &M, inner: Vec<u8>, sealed: Vec<u8>) -> NewEvent {
        NewEvent {
            event_id: lifecycle::ids::random(),
            kind: M::full_name(),
            payload: message.encode_to_vec(),
            inner,
            sealed,
            division: self.division,
        }
    }
}

/// A 报名号 with its check digit (ISO 7064 MOD 11,10).
fn enrolment_number(code: &str, serial: u32) -> String {
    let digits = format!("2026{code}{serial:06}");
    let product = digits.bytes().fold(10, |product, digit| match (product + u32::from(digit - b'0')) % 10 {
        0 => 20 % 11,
        sum => sum * 2 % 11,
    });
    format!("{digits}{}", (11 - product) % 10)
}
