//! Every row of DOMAIN 4.1 that software can hold: what is right passes, what is wrong has its reason.

use time::macros::date;

use super::*;
use crate::domain::registration::testing::{COUNTY, POINT, SCHOOL, coded, codes, directory, personal, rules};
use crate::domain::rules::SchoolScope;

const TODAY: Date = date!(2026 - 11 - 23);
const SCHOOL_KIND: Option<SchoolKind> = Some(SchoolKind::School);

fn problems_with(change: impl FnOnce(&mut Personal, &mut Coded)) -> Vec<(&'static str, &'static str, Gravity)> {
    let (mut personal, mut coded) = (personal(), coded());
    change(&mut personal, &mut coded);
    checked(&personal, &coded, &rules(), SCHOOL_KIND)
}

fn checked(
    personal: &Personal,
    coded: &Coded,
    rules: &RuleSet,
    school: Option<SchoolKind>,
) -> Vec<(&'static str, &'static str, Gravity)> {
    found(personal, coded, rules, (school, &directory()), None)
}

fn found(
    personal: &Personal,
    coded: &Coded,
    rules: &RuleSet,
    (school, directory): (Option<SchoolKind>, &Directory),
    filed: Option<&Coded>,
) -> Vec<(&'static str, &'static str, Gravity)> {
    let list = Checklist {
        codes: &codes(),
        rules,
        directory,
        school,
        certificate_kind: CertificateKind::Junior,
        filed,
        today: TODAY,
    };
    check(personal, coded, &list).into_iter().map(|problem| (problem.field, problem.reason, problem.gravity)).collect()
}

/// What is wrong with the form in another directory, when it is new and when it amends the form that it is.
fn found_in(directory: &Directory, change: impl FnOnce(&mut Coded)) -> [Vec<(&'static str, &'static str, Gravity)>; 2] {
    let (personal, mut coded) = (personal(), coded());
    change(&mut coded);
    [None, Some(&coded)].map(|filed| found(&personal, &coded, &rules(), (SCHOOL_KIND, directory), filed))
}

use Gravity::{Malformed, Unready, Warning};

#[test]
fn a_complete_form_has_no_problem() {
    assert_eq!(problems_with(|_, _| {}), []);
}

#[test]
fn an_empty_form_lacks_every_required_field_at_once_and_nothing_else() {
    let found = checked(&Personal::default(), &Coded::default(), &rules(), None);
    assert!(found.iter().all(|(_, reason, gravity)| (*reason, *gravity) == ("REQUIRED", Unready)), "{found:?}");
    let fields: Vec<&str> = found.iter().map(|(field, ..)| *field).collect();
    assert_eq!(
        fields,
        [
            "coded.putonghua_level",
            "coded.education",
            "coded.degree",
            "coded.major_category",
            "coded.major",
            "coded.graduate_school",
            "personal.graduation_date",
            "coded.study_form",
            "coded.school_id",
            "coded.school_nature",
            "coded.school_location",
            "coded.work_start_date",
            "coded.employment_date",
            "coded.title",
            "coded.post_nature",
            "coded.political_status",
            "personal.household_place",
            "personal.address",
            "personal.postcode",
            "personal.mobile",
            "personal.email",
            "coded.stage",
            "coded.subject",
            "coded.agency_id",
            "coded.point_id",
        ]
    );
}

#[test]
fn every_code_must_stand_in_its_table() {
    type Change = fn(&mut Coded);
    let rows: [(&str, Change); 11] = [
        ("coded.putonghua_level", |form| form.putonghua_level = "7".into()),
        ("coded.education", |form| form.education = "08".into()),
        ("coded.degree", |form| form.degree = "999".into()),
        ("coded.major_category", |form| form.major_category = "3".into()),
        ("coded.study_form", |form| form.study_form = "8".into()),
        ("coded.school_nature", |form| form.school_nature = "3".into()),
        ("coded.school_location", |form| form.school_location = "4".into()),
        ("coded.title", |form| form.title = "050".into()),
        ("coded.post_nature", |form| form.post_nature = "5".into()),
        ("coded.political_status", |form| form.political_status = "14".into()),
        ("coded.political_status", |form| form.political_status = "1".into()),
    ];
    for (field, change) in rows {
        assert_eq!(problems_with(|_, coded| change(coded)), [(field, "UNKNOWN_CODE", Malformed)]);
    }
}

#[test]
fn titles_of_both_trees_and_none_are_accepted() {
    for title in ["052", "414", "022", "045", "999", "Z1", "Z9"] {
        assert_eq!(problems_with(|_, coded| coded.title = title.into()), [], "{title}");
    }
}

#[test]
fn a_putonghua_number_of_13_digits_is_standard_others_warn_or_are_refused() {
    let number = |text: &str| problems_with(|personal, _| personal.putonghua_number = text.into());
    let field = "personal.putonghua_number";
    assert_eq!(number("3213012345678"), []);
    assert_eq!(number("SU-2001-0042"), [(field, "NOT_STANDARD", Warning)]);
    assert_eq!(number("321301234567"), [(field, "NOT_STANDARD", Warning)]);
    for wrong in ["123", "123456789012345678901", "苏2001001", "12 34"] {
        assert_eq!(number(wrong), [(field, "NOT_A_NUMBER", Malformed)], "{wrong}");
    }
    assert_eq!(number(""), [(field, "REQUIRED", Unready)]);
}

#[test]
fn without_a_putonghua_level_there_is_no_number() {
    let level_none = |number: &str| {
        problems_with(|personal, coded| {
            coded.putonghua_level = "0".into();
            personal.putonghua_number = number.into();
        })
    };
    assert_eq!(level_none(""), []);
    assert_eq!(level_none("3213012345678"), [("personal.putonghua_number", "NOT_EXPECTED", Unready)]);
}

#[test]
fn with_a_high_school_education_the_major_is_none() {
    let with = |education: &str, major: &str| {
        problems_with(|_, coded| {
            coded.education = education.into();
            coded.major = major.into();
        })
    };
    for education in ["61", "63", "71", "81", "90"] {
        assert_eq!(with(education, "无"), [], "{education}");
        assert_eq!(with(education, "数学"), [("coded.major", "MUST_BE_NONE", Unready)]);
    }
    for education in ["11", "21", "31", "41", "49"] {
        assert_eq!(with(education, "数学"), [], "{education}");
        assert_eq!(with(education, "无"), [("coded.major", "MUST_NOT_BE_NONE", Unready)]);
    }
}

#[test]
fn dates_are_real_and_not_in_the_future() {
    let field = "personal.graduation_date";
    let date = |text: &str| problems_with(|personal, _| personal.graduation_date = text.into());
    assert_eq!(date("2026-11-23"), []);
    assert_eq!(date("2026-11-24"), [(field, "IN_THE_FUTURE", Malformed)]);
    assert_eq!(date("2001-02-29"), [(field, "NOT_A_DATE", Malformed)]);
    assert_eq!(date("2001.07.01"), [(field, "NOT_A_DATE", Malformed)]);
    // An employment before it is told, too.
    let begun = |text: &str| problems_with(|_, coded| coded.work_start_date = text.into());
    assert_eq!(begun("2026-11-24")[0], ("coded.work_start_date", "IN_THE_FUTURE", Malformed));
    assert_eq!(begun("2010-13-01"), [("coded.work_start_date", "NOT_A_DATE", Malformed)]);
    let employed = |text: &str| problems_with(|_, coded| coded.employment_date = text.into());
    assert_eq!(employed("2026-11-24"), [("coded.employment_date", "IN_THE_FUTURE", Malformed)]);
    assert_eq!(employed("2010-02-30"), [("coded.employment_date", "NOT_A_DATE", Malformed)]);
}

#[test]
fn employment_does_not_begin_before_work_did() {
    let dates = |begun: &str, employed: &str| {
        problems_with(|_, coded| {
            coded.work_start_date = begun.into();
            coded.employment_date = employed.into();
        })
    };
    assert_eq!(dates("2010-09-01", "2010-09-01"), []);
    assert_eq!(dates("2010-09-01", "2010-08-31"), [("coded.employment_date", "BEFORE_WORK_START", Unready)]);
}

#[test]
fn the_school_must_be_one_of_the_directory() {
    let found = checked(&personal(), &coded(), &rules(), None);
    assert_eq!(found, [("coded.school_id", "UNKNOWN_SCHOOL", Unready)]);
}

#[test]
fn texts_have_their_lengths_and_no_control_characters() {
    let address = |text: String| problems_with(|personal, _| personal.address = text);
    assert_eq!(address("徐".repeat(100)), []);
    assert_eq!(address("徐".repeat(101)), [("personal.address", "TOO_LONG", Malformed)]);
    assert_eq!(address("徐州\u{0}".into()), [("personal.address", "NOT_PLAIN_TEXT", Malformed)]);
    assert_eq!(address(" 徐州".into()), [("personal.address", "NOT_PLAIN_TEXT", Malformed)]);
    let school = problems_with(|_, coded| coded.graduate_school = "大".repeat(61));
    assert_eq!(school, [("coded.graduate_school", "TOO_LONG", Malformed)]);
    let major = problems_with(|_, coded| coded.major = "学".repeat(61));
    assert_eq!(major, [("coded.major", "TOO_LONG", Malformed)]);
    let birth_place = problems_with(|personal, _| personal.birth_place = "徐".repeat(61));
    assert_eq!(birth_place, [("personal.birth_place", "TOO_LONG", Malformed)]);
    let household = problems_with(|personal, _| personal.household_place = format!("{}市云龙区", "徐".repeat(57)));
    assert_eq!(household, [("personal.household_place", "TOO_LONG", Malformed)]);
    let telephone = problems_with(|personal, _| personal.telephone = "1".repeat(21));
    assert_eq!(telephone, [("personal.telephone", "NOT_A_PHONE", Malformed)]);
}

#[test]
fn what_is_not_ready_is_not_kept_either_where_it_is_no_text() {
    for (wrong, reason) in [("1".repeat(21), "TOO_LONG"), ("3213\u{0}".to_owned(), "NOT_PLAIN_TEXT")] {
        let number = problems_with(|personal, coded| {
            coded.putonghua_level = "0".into();
            personal.putonghua_number = wrong.clone();
        });
        assert_eq!(number, [("personal.putonghua_number", reason, Malformed)]);
    }
    for (wrong, reason) in [("学".repeat(31), "TOO_LONG"), ("物\u{0}理".to_owned(), "NOT_PLAIN_TEXT")] {
        for stage in [None, Some(Stage::Junior)] {
            let subject = problems_with(|_, coded| {
                coded.stage = stage;
                coded.subject = wrong.clone();
            });
            assert_eq!(subject.last(), Some(&("coded.subject", reason, Malformed)));
        }
    }
}

#[test]
fn no_number_of_a_person_stands_in_what_is_published() {
    type Field = fn(&mut Coded) -> &mut String;
    let fields: [(&str, Field); 2] =
        [("coded.major", |coded| &mut coded.major), ("coded.graduate_school", |coded| &mut coded.graduate_school)];
    for (name, field) in fields {
        let written = |text: &str| problems_with(|_, coded| *field(coded) = text.to_owned());
        assert_eq!(written("示范12345"), []);
        for wrong in ["示范199001", "示范１９９００１"] {
            assert_eq!(written(wrong), [(name, "NUMBER_IN_TEXT", Malformed)]);
        }
        assert_eq!(written("示\u{0}范"), [(name, "NOT_PLAIN_TEXT", Malformed)]);
    }
}

#[test]
fn the_household_is_told_down_to_the_district() {
    let household = |text: &str| problems_with(|personal, _| personal.household_place = text.into());
    for right in [
        "徐州市云龙区",
        "江苏省徐州市沛县",
        "新沂市市区",
        "北京市海淀区",
        "内蒙古自治区兴安盟突泉县",
        "阿里地区札达县",
        "江苏省邳州市",
    ] {
        assert_eq!(household(right), [], "{right}");
    }
    for wrong in ["徐州市", "江苏", "云龙区"] {
        assert_eq!(household(wrong), [("personal.household_place", "NOT_TO_THE_DISTRICT", Unready)], "{wrong}");
    }
}

#[test]
fn postcode_mobile_telephone_and_mail_have_their_forms() {
    assert_eq!(problems_with(|p, _| p.postcode = "22100".into()), [("personal.postcode", "NOT_DIGITS", Malformed)]);
    assert_eq!(
        problems_with(|p, _| p.postcode = "２２１０００".into()),
        [("personal.postcode", "NOT_DIGITS", Malformed)]
    );
    assert_eq!(problems_with(|p, _| p.mobile = "1380000000".into()), [("personal.mobile", "NOT_DIGITS", Malformed)]);
    assert_eq!(problems_with(|p, _| p.telephone = "0516-83700000".into()), []);
    assert_eq!(problems_with(|p, _| p.telephone = "无".into()), [("personal.telephone", "NOT_A_PHONE", Malformed)]);
    for wrong in ["teacher", "@school.example", "a@b", "a@.b", "a@b.", "a b@c.d"] {
        assert_eq!(
            problems_with(|p, _| p.email = wrong.into()),
            [("personal.email", "NOT_AN_EMAIL", Malformed)],
            "{wrong}"
        );
    }
    assert_eq!(problems_with(|p, _| p.email = "a@b.c".into()), []);
}

#[test]
fn birth_place_and_telephone_are_required_where_the_rule_set_asks() {
    let asked = vec!["personal.birth_place".to_owned(), "personal.telephone".to_owned()];
    let asking = RuleSet { extra_required_fields: asked, ..rules() };
    let bare = Personal { birth_place: String::new(), telephone: String::new(), ..personal() };
    assert_eq!(checked(&bare, &coded(), &rules(), SCHOOL_KIND), []);
    assert_eq!(
        checked(&bare, &coded(), &asking, SCHOOL_KIND),
        [("personal.birth_place", "REQUIRED", Unready), ("personal.telephone", "REQUIRED", Unready)]
    );
}

#[test]
fn the_subject_is_one_of_the_stage() {
    let with = |stage, subject: &str| {
        problems_with(|_, coded| {
            coded.stage = stage;
            coded.subject = subject.into();
        })
    };
    assert_eq!(with(Some(Stage::Junior), "物理"), []);
    assert_eq!(with(Some(Stage::Junior), "科学"), [("coded.subject", "NOT_OF_THE_STAGE", Unready)]);
    assert_eq!(with(None, "物理"), [("coded.stage", "REQUIRED", Unready), ("coded.subject", "STAGE_FIRST", Unready)]);
}

#[test]
fn a_province_adds_subjects_and_switches_them_off_for_what_is_new() {
    let said = |subject: &str, province: &str, on| {
        let mut directory = directory();
        directory.subjects.insert((province.to_owned(), Stage::Junior, subject.to_owned()), on);
        directory
    };
    let none = [("coded.subject", "NOT_OF_THE_STAGE", Unready)];
    let calligraphy = |coded: &mut Coded| coded.subject = "书法".into();
    assert_eq!(found_in(&directory(), calligraphy)[0], none);
    assert_eq!(found_in(&said("书法", "32", true), calligraphy)[0], []);
    assert_eq!(found_in(&said("书法", "33", true), calligraphy)[0], none, "another province's");
    assert_eq!(found_in(&said("物理", "32", false), |_| {}), [none.to_vec(), vec![]], "what was filed stays");
    assert_eq!(found_in(&said("物理", "33", false), |_| {})[0], []);
}

#[test]
fn an_agency_that_has_ended_and_a_point_that_was_closed_are_not_chosen() {
    let ended = |on| {
        let mut directory = directory();
        directory.agencies.get_mut(&COUNTY).unwrap().abolished_on = Some(on);
        directory
    };
    let gone = vec![("coded.agency_id", "AGENCY_ABOLISHED", Unready)];
    assert_eq!(found_in(&ended(TODAY), |_| {}), [gone.clone(), gone]);
    assert_eq!(found_in(&ended(TODAY.next_day().unwrap()), |_| {})[0], []);
    let mut directory = directory();
    directory.points.get_mut(&POINT).unwrap().closed = true;
    assert_eq!(found_in(&directory, |_| {})[0], [("coded.point_id", "POINT_ABOLISHED", Unready)]);
}

#[test]
fn a_certificate_of_another_stage_only_warns() {
    let found = problems_with(|_, coded| {
        coded.stage = Some(Stage::Primary);
        coded.subject = "语文".into();
    });
    assert_eq!(found, [("coded.stage", "KIND_DIFFERS", Warning)]);
}

#[test]
fn agency_and_point_are_known_and_belong_together() {
    let with = |agency, point| {
        problems_with(|_, coded| {
            coded.agency = agency;
            coded.point = point;
        })
    };
    let nobody = Some(Uuid::from_u128(404));
    assert_eq!(with(Some(COUNTY), Some(POINT)), []);
    assert_eq!(
        with(nobody, Some(POINT)),
        [("coded.agency_id", "UNKNOWN_AGENCY", Unready), ("coded.point_id", "NOT_OF_THE_AGENCY", Unready)]
    );
    assert_eq!(with(Some(COUNTY), nobody), [("coded.point_id", "NOT_OF_THE_AGENCY", Unready)]);
    assert_eq!(coded().place().unwrap().school, SCHOOL);
}

/// Whether a school of this kind and nature is out of the scope of these flags.
fn is_out(scope: &[SchoolScope], kind: SchoolKind, nature: &str, filed: Option<&Coded>) -> bool {
    let coded = Coded { school_nature: nature.to_owned(), ..coded() };
    let rules = RuleSet { schools_in_scope: scope.to_vec(), ..rules() };
    let found = found(&personal(), &coded, &rules, (Some(kind), &directory()), filed);
    assert!(found.is_empty() || found == [("coded.school_id", "SCHOOL_OUT_OF_SCOPE", Unready)], "{found:?}");
    !found.is_empty()
}

#[test]
fn only_schools_in_the_scope_of_the_province_are_taken() {
    use SchoolScope::{AfterSchool, Private, Public, ResearchOffice};
    let every = [
        (SchoolKind::of("31"), "1", Public),
        (SchoolKind::of("31"), "9", Public),
        (SchoolKind::of("31"), "2", Private),
        (SchoolKind::of("39"), "1", ResearchOffice),
        (SchoolKind::of("39"), "2", ResearchOffice),
        (SchoolKind::of("40"), "2", AfterSchool),
    ];
    for (kind, nature, own) in every {
        assert!(!is_out(&SchoolScope::ALL, kind, nature, None));
        for scope in SchoolScope::ALL {
            assert_eq!(is_out(&[scope], kind, nature, None), scope != own, "{kind:?} {nature} {scope:?}");
        }
    }
}

#[test]
fn a_school_that_was_filed_stays_in_scope_for_amendments_unless_it_is_changed() {
    let private = Coded { school_nature: "2".to_owned(), ..coded() };
    assert!(!is_out(&[SchoolScope::Public], SchoolKind::School, "2", Some(&private)));
    assert!(is_out(&[SchoolScope::Public], SchoolKind::School, "2", Some(&coded())));
}
