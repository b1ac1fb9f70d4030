//! Given what one source said, when another one contradicts it, then an officer settles which of them is right.

use super::*;

/// Of another holder.
fn other() -> Details {
    Details { holder: [9; 32], digest: [9; 32], ..details() }
}

fn registered(details: Details) -> Command {
    Command::Sync { details, source: Source::PriorRegistration, prior: None, standing: Standing::Normal }
}

fn standing(standing: Standing) -> Command {
    Command::Sync { details: details(), source: Source::Register, prior: None, standing }
}

fn found(ordinal: u32, details: Details, generation: u32) -> Event {
    telling(ordinal, details, generation, Besides::default())
}

fn telling(ordinal: u32, details: Details, generation: u32, besides: Besides) -> Event {
    let details = Details { generation, ..details };
    Event::ConflictFound { ordinal, details, besides, source: Source::PriorRegistration }
}

fn settled(ordinal: u32, outcome: Outcome, generation: u32) -> Event {
    let file_reference = if outcome == Outcome::Withdrawn { String::new() } else { "苏教〔2026〕3号".to_owned() };
    Event::ConflictSettled { ordinal, outcome, file_reference, generation }
}

fn changed(details: Details, source: Source, generation: u32) -> Event {
    Event::Changed { details: Details { generation, ..details }, source }
}

fn reworded() -> Details {
    Details { subject: "小学语文".to_owned(), digest: [5; 32], ..details() }
}

#[test]
fn another_source_that_contradicts_is_a_conflict_once_and_neither_side_is_lost() {
    let contradicting = [
        other(),
        Details { kind: Kind::Junior, digest: [6; 32], ..details() },
        Details { issue_date: date!(2010 - 06 - 16), digest: [7; 32], ..details() },
    ];
    for details in contradicting {
        given::<Decisions>([synced(), matched(TEACHER)]).when(registered(details.clone())).then([found(
            1,
            details.clone(),
            1,
        )]);
        let open = [synced(), matched(TEACHER), found(1, details.clone(), 1)];
        given::<Decisions>(open.clone()).when(registered(details)).then_nothing();
        let state = Decisions::fold(&open);
        let record = state.record().unwrap();
        assert_eq!((record.details.holder, record.person, record.conflicts.len()), ([2; 32], Some(TEACHER), 1));
    }
}

#[test]
fn the_same_source_changes_what_it_said_and_is_no_conflict() {
    given::<Decisions>([synced()]).when(sync(other(), None)).then([changed(other(), Source::Register, 1)]);
    let by_registration = Event::Synced { details: details(), source: Source::PriorRegistration };
    given::<Decisions>([by_registration]).when(registered(other())).then([changed(
        other(),
        Source::PriorRegistration,
        1,
    )]);
}

#[test]
fn where_sources_agree_the_first_in_rank_has_the_say_about_the_rest() {
    let by_registration = Event::Synced { details: details(), source: Source::PriorRegistration };
    given::<Decisions>([synced()]).when(registered(reworded())).then_nothing();
    given::<Decisions>([by_registration]).when(sync(reworded(), None)).then([changed(reworded(), Source::Register, 0)]);
    given::<Decisions>([entered(), matched(TEACHER)]).when(registered(reworded())).then([changed(
        reworded(),
        Source::PriorRegistration,
        0,
    )]);
}

#[test]
fn what_a_person_entered_is_not_overwritten_by_a_register_that_contradicts_it() {
    given::<Decisions>([entered(), matched(TEACHER)]).when(sync(other(), None)).then([Event::ConflictFound {
        ordinal: 1,
        details: Details { generation: 1, ..other() },
        besides: Besides::default(),
        source: Source::Register,
    }]);
}

#[test]
fn an_officer_keeps_the_record_and_the_other_side_is_news_only_when_it_changes() {
    let open = [synced(), matched(TEACHER), found(1, other(), 1)];
    given::<Decisions>(open.clone()).when(settle(1, false)).then([settled(1, Outcome::Kept, 1)]);
    let kept = [open.to_vec(), vec![settled(1, Outcome::Kept, 1)]].concat();
    given::<Decisions>(kept.clone()).when(registered(other())).then_nothing();
    given::<Decisions>(kept.clone()).when(settle(1, true)).then_refused(&Rejection::NoSuchConflict);
    let again = Details { digest: [8; 32], ..other() };
    given::<Decisions>(kept).when(registered(again.clone())).then([found(2, again, 2)]);
    given::<Decisions>(open).when(settle(2, true)).then_refused(&Rejection::NoSuchConflict);
    given::<Decisions>([]).when(settle(1, true)).then_refused(&Rejection::UnknownCertificate);
}

#[test]
fn an_officer_takes_the_other_side_and_the_record_gets_its_holder() {
    let open = [synced(), matched(TEACHER), found(1, other(), 1)];
    let taken = [settled(1, Outcome::Taken, 1), Event::Unmatched, changed(other(), Source::PriorRegistration, 2)];
    given::<Decisions>(open.clone()).when(settle(1, true)).then(taken.clone());
    let history = [open.to_vec(), taken.to_vec()].concat();
    let state = Decisions::fold(&history);
    let record = state.record().unwrap();
    assert_eq!((record.person, record.details.holder, record.source), (None, [9; 32], Source::PriorRegistration));
    // The register that was wrong says the same again.
    given::<Decisions>(history).when(sync(details(), None)).then_nothing();
    // What the owner's erasure has to destroy.
    let state = Decisions::fold(&open);
    assert_eq!(state.former(&taken[0]), Some((TEACHER, 1)));
    assert_eq!(state.former(&taken[1]), Some((TEACHER, 0)));
}

#[test]
fn what_is_said_of_somebody_who_is_erased_is_over_and_the_record_stays() {
    let open = [synced(), matched(TEACHER), found(1, other(), 1)];
    let forget = |holder| Command::ForgetClaims { holder };
    given::<Decisions>(open.clone()).when(forget([9; 32])).then([settled(1, Outcome::Withdrawn, 1)]);
    given::<Decisions>(open.clone()).when(forget([2; 32])).then_nothing();
    let over = [open.to_vec(), vec![settled(1, Outcome::Withdrawn, 1)]].concat();
    given::<Decisions>(over.clone()).when(forget([9; 32])).then_nothing();
    given::<Decisions>([]).when(forget([9; 32])).then_nothing();
    // A source that says it once more says something new.
    given::<Decisions>(over).when(registered(other())).then([found(2, other(), 2)]);
}

#[test]
fn what_else_a_contradicting_row_tells_counts_once_it_is_taken() {
    let second = PriorRegistration { ordinal: 2, ..prior() };
    let row = |prior, standing| Command::Sync {
        details: other(),
        source: Source::PriorRegistration,
        prior: Some(prior),
        standing,
    };
    let told = |ordinals: &[u32], restricted| {
        let said = (prior().conclusion, prior().concluded);
        Besides { registrations: ordinals.iter().map(|ordinal| (*ordinal, said)).collect(), restricted }
    };
    let open = [synced(), telling(1, other(), 1, told(&[1], false))];
    given::<Decisions>([synced()]).when(row(prior(), Standing::Normal)).then([open[1].clone()]);
    given::<Decisions>(open.clone()).when(row(prior(), Standing::Normal)).then_nothing();
    // A row that tells more of the same is not lost either.
    let more = [settled(1, Outcome::Withdrawn, 1), telling(2, other(), 2, told(&[1, 2], true))];
    given::<Decisions>(open.clone()).when(row(second, Standing::Restricted)).then(more.clone());
    let open = [open.to_vec(), more.to_vec()].concat();
    for prior in [prior(), second] {
        given::<Decisions>(open.clone()).when(row(prior, Standing::Normal)).then_nothing();
    }
    let kept = [open.clone(), vec![settled(2, Outcome::Kept, 2)]].concat();
    given::<Decisions>(kept).when(row(prior(), Standing::Normal)).then_nothing();
    let by_register =
        Event::Restricted { kind: Restriction::Unspecified, end: None, file_reference: "认定历史库".to_owned() };
    let taken = [
        settled(2, Outcome::Taken, 2),
        changed(other(), Source::PriorRegistration, 3),
        Event::PriorRegistrationImported(prior()),
        Event::PriorRegistrationImported(second),
        by_register,
    ];
    given::<Decisions>(open.clone()).when(settle(2, true)).then(taken.clone());
    // … and changes nothing when it comes again.
    given::<Decisions>([open, taken.to_vec()].concat()).when(row(prior(), Standing::Restricted)).then_nothing();
    // Where the row agrees, it is a registration of this certificate.
    given::<Decisions>([synced()])
        .when(Command::Sync {
            details: reworded(),
            source: Source::PriorRegistration,
            prior: Some(prior()),
            standing: Standing::Normal,
        })
        .then([Event::PriorRegistrationImported(prior())]);
}

#[test]
fn a_conflict_is_over_once_the_sources_agree_or_one_of_them_says_something_else() {
    let open = [synced(), found(1, other(), 1)];
    let withdrawn = settled(1, Outcome::Withdrawn, 1);
    given::<Decisions>(open.clone()).when(registered(details())).then([withdrawn.clone()]);
    given::<Decisions>(open.clone())
        .when(sync(other(), None))
        .then([withdrawn.clone(), changed(other(), Source::Register, 2)]);
    let again = Details { digest: [8; 32], ..other() };
    given::<Decisions>(open.clone()).when(registered(again.clone())).then([withdrawn.clone(), found(2, again, 2)]);
    let history = [open.to_vec(), vec![matched(TEACHER)]].concat();
    given::<Decisions>(history)
        .when(Command::Forget { person: TEACHER })
        .then([withdrawn, Event::Forgotten { generation: 0 }]);
}

#[test]
fn a_deleted_certificate_is_nobodys_until_the_register_speaks_of_it_again() {
    let deleted = [synced(), matched(TEACHER), Event::Deleted];
    given::<Decisions>([synced(), matched(TEACHER)]).when(standing(Standing::Deleted)).then([Event::Deleted]);
    given::<Decisions>(deleted.clone()).when(standing(Standing::Deleted)).then_nothing();
    given::<Decisions>(deleted.clone()).when(match_with(TEACHER)).then_nothing();
    let enter = Command::AddByHand { details: details(), person: TEACHER };
    given::<Decisions>(deleted.clone()).when(enter).then_refused(&Rejection::Deleted);
    assert_eq!(Decisions::fold(&deleted[..2]).former(&Event::Deleted), Some((TEACHER, 0)));
    let back = changed(details(), Source::Register, 1);
    given::<Decisions>(deleted.clone()).when(standing(Standing::Normal)).then([back.clone()]);
    let history = [deleted.to_vec(), vec![back]].concat();
    given::<Decisions>(history).when(match_with(TEACHER)).then([matched(TEACHER)]);
    // Also of a number that was unknown: else somebody would enter it by hand.
    given::<Decisions>([]).when(standing(Standing::Deleted)).then([synced(), Event::Deleted]);
    // Only its own word is taken back, unless the sources agree and it has the say.
    let by_registration = Command::Sync {
        details: details(),
        source: Source::PriorRegistration,
        prior: None,
        standing: Standing::Deleted,
    };
    given::<Decisions>([synced()]).when(by_registration.clone()).then_nothing();
    given::<Decisions>([synced(), found(1, other(), 1)]).when(by_registration).then([settled(
        1,
        Outcome::Withdrawn,
        1,
    )]);
    let taken = [changed(details(), Source::Register, 0), Event::Deleted];
    let by_registration = Event::Synced { details: details(), source: Source::PriorRegistration };
    for known in [vec![by_registration], vec![entered(), matched(TEACHER)]] {
        given::<Decisions>(known.clone()).when(standing(Standing::Deleted)).then(taken.clone());
        let history = [known, taken.to_vec()].concat();
        given::<Decisions>(history.clone()).when(standing(Standing::Deleted)).then_nothing();
        // The registration says the same as before, and does not bring it back.
        given::<Decisions>(history).when(registered(details())).then_nothing();
    }
    let of_another = Event::Synced { details: other(), source: Source::PriorRegistration };
    given::<Decisions>([of_another]).when(standing(Standing::Deleted)).then_nothing();
}

#[test]
fn the_registers_own_restriction_is_taken_once_and_lifted_by_officers() {
    let by_register =
        Event::Restricted { kind: Restriction::Unspecified, end: None, file_reference: "认定历史库".to_owned() };
    given::<Decisions>([]).when(standing(Standing::Restricted)).then([synced(), by_register.clone()]);
    given::<Decisions>([synced()]).when(standing(Standing::Restricted)).then([by_register.clone()]);
    given::<Decisions>([synced(), restricted()]).when(standing(Standing::Restricted)).then_nothing();
    let lifted = Event::RestrictionLifted { file_reference: String::new() };
    given::<Decisions>([synced(), by_register.clone()]).when(standing(Standing::Normal)).then_nothing();
    given::<Decisions>([synced(), by_register, lifted]).when(standing(Standing::Restricted)).then_nothing();
}

#[test]
fn an_entry_of_a_mistyped_number_is_merged_into_the_record_of_the_right_one() {
    let into = Uuid::from_u128(9);
    let merge = |holder| Command::Merge { into, holder, file_reference: "苏教〔2026〕4号".to_owned() };
    let merged = Event::Merged { into, file_reference: "苏教〔2026〕4号".to_owned(), generation: 0 };
    let history = [entered(), matched(TEACHER)];
    given::<Decisions>(history.clone()).when(merge([2; 32])).then([merged.clone()]);
    given::<Decisions>(history.clone()).when(merge([9; 32])).then_refused(&Rejection::HoldersDiffer);
    given::<Decisions>([synced()]).when(merge([2; 32])).then_refused(&Rejection::NotEnteredByHand);
    given::<Decisions>([]).when(merge([2; 32])).then_refused(&Rejection::UnknownCertificate);
    assert_eq!(Decisions::fold(&history).former(&merged), Some((TEACHER, 0)));

    let history = [history.to_vec(), vec![merged]].concat();
    given::<Decisions>(history.clone()).when(merge([2; 32])).then_refused(&Rejection::HoldersDiffer);
    let enter = Command::AddByHand { details: details(), person: TEACHER };
    given::<Decisions>(history.clone()).when(enter).then_refused(&Rejection::NumberMistyped);
    // The number may be another teacher's in truth.
    given::<Decisions>(history).when(sync(other(), None)).then([changed(other(), Source::Register, 1)]);
}

#[test]
fn the_right_record_takes_over_what_only_the_entry_had() {
    let merged = Uuid::from_u128(8);
    let absorb = Command::Absorb {
        merged,
        person: Some(TEACHER),
        prior_registrations: [
            (1, (Conclusion::Deferred, prior().concluded)),
            (2, (Conclusion::Qualified, prior().concluded)),
        ]
        .into(),
        restriction: Some((Restriction::Forfeited, None, "苏教〔2026〕1号".to_owned())),
    };
    let second = PriorRegistration { ordinal: 2, ..prior() };
    let follows = [
        Event::Absorbed { merged },
        Event::Matched { person: TEACHER, evidence: Evidence::Merged },
        Event::PriorRegistrationImported(second),
        restricted(),
    ];
    let history = [synced(), Event::PriorRegistrationImported(prior())];
    given::<Decisions>(history.clone()).when(absorb.clone()).then(follows.clone());
    given::<Decisions>([history.to_vec(), follows.to_vec()].concat()).when(absorb.clone()).then_nothing();
    let lifted = [restricted(), Event::RestrictionLifted { file_reference: "苏教〔2026〕2号".to_owned() }];
    let history =
        [synced(), matched(STRANGER)].into_iter().chain(lifted).chain([Event::PriorRegistrationImported(prior())]);
    let without = [Event::Absorbed { merged }, Event::PriorRegistrationImported(second)];
    given::<Decisions>(history).when(absorb.clone()).then(without);
    let owned = [synced(), matched(STRANGER), restricted(), Event::PriorRegistrationImported(prior())];
    given::<Decisions>(owned).when(absorb).then([Event::Absorbed { merged }, Event::PriorRegistrationImported(second)]);
}
