//! The walk of `deploy/up`: one fresh teacher of the register from account to conclusion, each step printed as it happens.

use proto::applications::v1::{ApplicationKey, Outcome, Status};

use crate::actor::Letters;
use crate::call;
use crate::failure::Doing as _;
use crate::journey::{self, Applicant, request_id};
use crate::layout::Layout;
use crate::register::Teacher;
use crate::seed::{Seeded, people};
use crate::{Failure, Result};

/// Walks the next teacher of the register, who is `applicant` in `deploy/call` from then on.
pub async fn walk(layout: &Layout, seeded: &mut Seeded, say: &dyn Fn(&str)) -> Result<()> {
    let (addresses, letters) = (layout.addresses(), Letters::at(layout));
    if seeded.walked == seeded.teachers {
        return Err(Failure::new("every teacher of the register has walked: deploy/down --wipe begins anew"));
    }
    let teacher = Teacher::new(seeded.walked);
    // Counted before the first step: a walk that breaks off does not meet its own account next time.
    seeded.walked += 1;
    seeded.save(layout)?;

    say(&format!("1. 账号注册、登录、完善个人信息: {}", teacher.name()));
    let applicant = Applicant::arrive(&addresses, &letters, teacher, &people::password()).await?;
    let mut staff = call::staff(layout)?;
    staff.insert("applicant".to_owned(), applicant.credentials.clone());
    people::keep(layout, &staff)?;

    let certificate = applicant.certificate().await?;
    say(&format!("2. 教师资格证书: {} ({})", certificate.masked_number, certificate.issuing_agency));
    let availability = applicant.availability(&seeded.place).await?;
    if !availability.open {
        return Err(Failure::new(format!("{}: {}", availability.reason, availability.message)));
    }
    say("3. 查询工作开展情况: 网报时间内，可以申报");
    let draft = applicant.fill_in(&certificate.certificate_id, &seeded.place).await?;
    say("4. 申报协议、填写注册信息: 完成");
    let submitted = applicant.submit(&draft, &request_id()).await.doing(|| "submit".into())?;
    let key = ApplicationKey {
        certificate_id: submitted.certificate_id.clone(),
        enrolment_number: submitted.enrolment_number.clone(),
    };
    say(&format!("5. 同意承诺书、提交: 报名号 {}", submitted.enrolment_number));
    say(&format!("   {}", status(submitted.status)));

    let clerk = call::sign_in(layout, "clerk").await?;
    let slot = journey::offer_places(&clerk, &seeded.place.point_id).await?;
    let booking = applicant.book(&submitted.enrolment_number, &slot).await?;
    say(&format!("6. 现场确认预约: {} 上午，{}号", slot.date, booking.seat));
    // The cycle of one who was registered before can end with this year.
    let this_year = lifecycle::clock::now().year();
    let confirmed = journey::confirm(&clerk, &key, this_year).await?;
    say(&format!("7. 现场确认: {}", shown(&confirmed)));
    for (step, who, what) in [(8, "county", "县级初审"), (9, "city", "市级复核")] {
        let reviewer = call::sign_in(layout, who).await?;
        let passed = journey::pass(&reviewer, &key).await?;
        say(&format!("{step}. {what}: {}", shown(&passed)));
    }
    let reviewer = call::sign_in(layout, "province").await?;
    let concluded = journey::conclude(&reviewer, &key).await?;
    say(&format!("10. 省级终审、注册结论: {}", shown(&concluded)));

    let seen = applicant.application(&key).await?;
    if seen.status() != Status::Concluded || seen.conclusion() != proto::types::v1::Conclusion::Qualified {
        return Err(Failure::new(format!("the applicant sees {}", status(seen.status))));
    }
    say("11. 站内消息:");
    for notice in applicant.notices_once(STEPS_TOLD).await?.iter().rev() {
        say(&format!("   {}", notice.title));
    }
    Ok(())
}

/// Steps of the walk that the applicant is told of: filed, confirmed, passed twice, concluded.
const STEPS_TOLD: usize = 5;

fn status(status: i32) -> &'static str {
    Status::try_from(status).unwrap_or(Status::Unspecified).as_str_name().trim_start_matches("STATUS_")
}

fn shown(outcome: &Outcome) -> String {
    let turn = outcome.turn().as_str_name().trim_start_matches("TURN_");
    let conclusion = outcome.conclusion().as_str_name().trim_start_matches("CONCLUSION_");
    match conclusion {
        "UNSPECIFIED" => format!("{}, next {turn}", status(outcome.status)),
        conclusion => format!("{} {conclusion}", status(outcome.status)),
    }
}
