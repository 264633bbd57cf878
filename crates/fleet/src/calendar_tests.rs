//! Windows and freezes at times that are easy to get wrong.

use keywright_base::Timestamp;
use keywright_rotation::model::Phase;

use super::{FreezePeriod, PeriodEnd, RotationCalendar, TimeWindow, closed, moment};
use crate::FleetConfig;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_iso8601(text).unwrap()
}

/// A window in the syntax of the fleet file.
fn window(text: &str) -> TimeWindow {
    let file = format!(
        "[[account]]\nname = 'a'\n[[account.rule]]\neveryone = true\nskip = true\nwindow = {text}"
    );
    let mut config = FleetConfig::parse(&file).unwrap();
    config.accounts[0].rules[0].window.take().unwrap()
}

/// When the window opens next; empty if it is open.
fn opens(window: &TimeWindow, now: &str) -> String {
    closed(Some(window), &[], at(now)).map_or("open".to_owned(), |closed| closed.at.iso8601())
}

#[test]
fn windows_of_a_zone() {
    let berlin = "{ days = ['mon', 'fri'], from = '08:30', to = '16:00', zone = 'Europe/Berlin' }";
    let over_midnight = "{ days = ['fri'], from = '22:00', to = '04:00', zone = 'UTC' }";
    let to_midnight = "{ days = ['sun'], from = '22:00' }";
    for (text, now, expected) in [
        // A Monday in winter (UTC+1) and one in summer (UTC+2).
        (berlin, "2026-11-30T07:29:59Z", "2026-11-30T07:30:00Z"),
        (berlin, "2026-11-30T07:30:00Z", "open"),
        (berlin, "2026-11-30T14:59:59Z", "open"),
        (berlin, "2026-11-30T15:00:00Z", "2026-12-04T07:30:00Z"),
        (berlin, "2026-06-29T06:30:00Z", "open"),
        (berlin, "2026-06-29T14:00:00Z", "2026-07-03T06:30:00Z"),
        // A window belongs to the day on which it begins.
        (
            over_midnight,
            "2026-12-04T21:00:00Z",
            "2026-12-04T22:00:00Z",
        ),
        (over_midnight, "2026-12-04T23:00:00Z", "open"),
        (over_midnight, "2026-12-05T03:59:59Z", "open"),
        (
            over_midnight,
            "2026-12-05T04:00:00Z",
            "2026-12-11T22:00:00Z",
        ),
        (
            over_midnight,
            "2026-12-04T03:00:00Z",
            "2026-12-04T22:00:00Z",
        ),
        (to_midnight, "2026-12-06T23:59:59Z", "open"),
        (to_midnight, "2026-12-07T00:00:00Z", "2026-12-13T22:00:00Z"),
    ] {
        assert_eq!(opens(&window(text), now), expected, "{text} at {now}");
    }
}

#[test]
fn windows_where_the_clocks_change() {
    // In Berlin, 02:00 to 03:00 does not exist on 2027-03-28 and occurs twice on 2026-10-25.
    let gap = "{ from = '02:30', to = '05:00', zone = 'Europe/Berlin' }";
    let inside = "{ from = '02:15', to = '02:45', zone = 'Europe/Berlin' }";
    let only_inside = "{ days = ['sun'], from = '02:00', to = '03:00', zone = 'Europe/Berlin' }";
    for (text, now, expected) in [
        (gap, "2027-03-28T01:29:59Z", "2027-03-28T01:30:00Z"),
        (gap, "2027-03-28T02:59:59Z", "open"),
        (gap, "2027-03-28T03:00:00Z", "2027-03-29T00:30:00Z"),
        (inside, "2026-10-25T00:14:59Z", "2026-10-25T00:15:00Z"),
        (inside, "2026-10-25T00:44:59Z", "open"),
        (inside, "2026-10-25T01:20:00Z", "2026-10-26T01:15:00Z"),
        // A window that is skipped entirely opens the next week.
        (only_inside, "2027-03-28T00:59:00Z", "2027-04-04T00:00:00Z"),
    ] {
        assert_eq!(opens(&window(text), now), expected, "{text} at {now}");
    }
}

#[test]
fn a_freeze_moves_an_opening() {
    let freeze = |from: &str, to: &str| FreezePeriod {
        from_secs: at(from).secs(),
        to_secs: at(to).secs(),
        why: None,
    };
    let freezes = [
        freeze("2026-12-07T09:00:00Z", "2026-12-08T00:00:00Z"),
        freeze("2026-12-07T00:00:00Z", "2026-12-07T10:00:00Z"),
    ];
    let mondays = window("{ days = ['mon'], from = '08:00', to = '12:00' }");
    let closed_at = |window, now| closed(window, &freezes, at(now)).map(|it| it.at.iso8601());
    let monday_after = Some("2026-12-14T08:00:00Z".to_owned());
    assert_eq!(
        closed_at(Some(&mondays), "2026-12-01T00:00:00Z"),
        monday_after
    );
    assert_eq!(
        closed_at(Some(&mondays), "2026-12-07T08:30:00Z"),
        monday_after
    );
    let after_both = Some("2026-12-08T00:00:00Z".to_owned());
    assert_eq!(closed_at(None, "2026-12-07T01:00:00Z"), after_both);
    assert_eq!(closed_at(None, "2026-12-08T00:00:00Z"), None);
}

#[test]
fn dates_and_times_of_a_period() {
    let berlin = "Europe/Berlin".to_owned().try_into().unwrap();
    for (text, end, expected) in [
        ("2026-12-20", PeriodEnd::First, "2026-12-19T23:00:00Z"),
        ("2026-12-20", PeriodEnd::Last, "2026-12-20T23:00:00Z"),
        ("2026-12-20T18:00", PeriodEnd::Last, "2026-12-20T17:00:00Z"),
        (
            "2026-12-20 18:00:00",
            PeriodEnd::First,
            "2026-12-20T17:00:00Z",
        ),
        (
            "2026-12-20T18:00:00-05:00",
            PeriodEnd::First,
            "2026-12-20T23:00:00Z",
        ),
        (
            "2026-12-20T18:00:00Z",
            PeriodEnd::First,
            "2026-12-20T18:00:00Z",
        ),
    ] {
        let found = moment(text, &berlin, end).map(Timestamp::iso8601);
        assert_eq!(found.as_deref(), Some(expected), "{text} {end:?}");
    }
    for text in ["", "20.12.2026", "2026-13-01", "18:00", "tomorrow"] {
        assert_eq!(moment(text, &berlin, PeriodEnd::First), None, "{text}");
    }
}

/// Deactivation waits for the window and for freezes, deletion only for freezes. Nothing else
/// waits, a rollback least of all.
#[test]
fn which_steps_of_a_rotation_wait() {
    let freeze = FreezePeriod {
        from_secs: at("2026-12-18T00:00:00Z").secs(),
        to_secs: at("2027-01-07T00:00:00Z").secs(),
        why: None,
    };
    let calendar = RotationCalendar {
        deactivation: Some(window("{ from = '22:00', to = '04:00' }")),
        freezes: vec![freeze],
    };
    // As stored in the journal.
    let calendar = RotationCalendar::from_text(&calendar.to_text()).unwrap();
    let (noon, night, frozen) = (
        "2026-12-01T12:00:00Z",
        "2026-12-01T23:00:00Z",
        "2026-12-20T23:00:00Z",
    );
    let (opening, thaw) = (Some("2026-12-01T22:00:00Z"), Some("2027-01-07T00:00:00Z"));
    for (phase, now, expected) in [
        (Phase::Confirming, noon, opening),
        (Phase::Deactivating, noon, opening),
        (Phase::Confirming, night, None),
        (Phase::Deactivating, frozen, thaw),
        (Phase::Dwelling, noon, None),
        (Phase::Dwelling, frozen, thaw),
        (Phase::Deleting, noon, None),
        (Phase::Deleting, frozen, thaw),
        (Phase::Creating, frozen, None),
        (Phase::Distributing, frozen, None),
        (Phase::Observing, frozen, None),
        (Phase::RollingBack, frozen, None),
        (Phase::Settling, frozen, None),
    ] {
        let dwelt = at("2026-11-01T00:00:00Z");
        let found = calendar
            .closed(phase, dwelt, at(now))
            .map(|it| it.at.iso8601());
        assert_eq!(found.as_deref(), expected, "{phase:?} at {now}");
    }
    let dwells = calendar.closed(Phase::Dwelling, at("2027-02-01T00:00:00Z"), at(frozen));
    assert_eq!(dwells, None, "its dwell is not over");
    assert!(RotationCalendar::from_text("{\"deactivation\":1}").is_err());
}
