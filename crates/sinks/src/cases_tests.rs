//! The table in `corpus/destinations`: what real readers see in a file, before and after a delivery
//! and after a restore. `e2e/test_destinations.py` runs those readers on the same table.

use std::{fs, os::unix::fs::PermissionsExt};

use keywright_rotation::{
    model::{KeyPair, RotationId},
    ports::{SinkContent, SinkError},
};
use serde::Deserialize;

use super::{
    SinkSpec,
    suite::{ReadBackKind, deliver, hold_to_contract, hold_to_others, pair, put_back},
    tests::{open, write},
};

const TABLE: &str = include_str!("../../../corpus/destinations/cases.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FormatCase {
    name: String,
    destination: String,
    text: String,
    state: FileState,
    /// The readers that see the pair, now or once it is written.
    #[serde(default)]
    readers: Vec<String>,
    /// The error message of a rejected file, with the line.
    #[serde(default)]
    says: String,
}

#[derive(Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum FileState {
    Old,
    Empty,
    Absent,
    Refused,
}

fn cases() -> Vec<FormatCase> {
    serde_json::from_str(TABLE).unwrap()
}

/// Replaces the placeholders with a pair.
fn filled(text: &str, pair: &KeyPair) -> String {
    text.replace("KEYID", &pair.id.0)
        .replace("AWS_SECRET", "\0")
        .replace("SECRET", pair.secret.expose())
        .replace('\0', "AWS_SECRET")
}

#[tokio::test]
async fn each_case_is_delivered_and_put_back_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for case in cases() {
        let what = format!("{} {}", case.destination, case.name);
        let text = filled(&case.text, &pair(1));
        write(&path, &text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let place = case.destination.replace("FILE", path.to_str().unwrap());
        let sink = open(&place).await;
        assert_eq!(place.parse::<SinkSpec>().unwrap().to_string(), sink.name());
        let inspected = sink.inspect(&pair(1).id).await;
        if case.state == FileState::Refused {
            let error = inspected.unwrap_err();
            let says = format!("{}{}", path.display(), case.says);
            let says = if case.says.starts_with(':') {
                &says
            } else {
                &case.says
            };
            let right = matches!(&error, SinkError::Never(why) if why.contains(says.as_str()));
            assert!(right, "{what}: {error}");
            assert!(!error.to_string().contains(pair(1).secret.expose().as_str()));
            assert!(deliver(&*sink, &pair(2)).await.is_err(), "{what}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{what}");
            continue;
        }
        let inspected = inspected.unwrap_or_else(|error| panic!("{what}: {error}"));
        let held = match case.state {
            FileState::Old => SinkContent::Pair(pair(1)),
            _ => SinkContent::Nothing,
        };
        assert_eq!(inspected.held, held, "{what}");
        assert_eq!(
            inspected.absent.is_some(),
            case.state == FileState::Absent,
            "{what}"
        );
        assert_eq!(inspected.warnings, Vec::<String>::new());
        let look = || fs::read(&path).unwrap();
        hold_to_contract(&*sink, ReadBackKind::Pair, &look).await;
        if case.state == FileState::Old {
            // Nothing but the two values changes, and others' values are left alone.
            let backup = sink.stage(&RotationId("r".into())).await.unwrap();
            deliver(&*sink, &pair(2)).await.unwrap();
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                filled(&case.text, &pair(2)),
                "{what}"
            );
            put_back(&*sink, &backup, None).await.unwrap();
            let put = |pair: &KeyPair| write(&path, &filled(&case.text, pair));
            hold_to_others(&*sink, &look, &put).await;
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Each of the three readers of `.env` files sees what the table says, before and after a delivery.
#[tokio::test]
async fn readers_of_variables_see_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for case in cases() {
        if !case.destination.starts_with("dotenv:") || case.state == FileState::Refused {
            continue;
        }
        let names = case.destination.split_once('#').map(|(_, names)| names);
        let format = super::dotenv::DotenvFormat::new(names).unwrap();
        let mut wanted = case.readers.clone();
        wanted.sort();
        let text = filled(&case.text, &pair(1));
        if case.state == FileState::Old {
            assert_eq!(format.readers(&text, &pair(1)), wanted, "{}", case.name);
        }
        write(&path, &text);
        let place = case.destination.replace("FILE", path.to_str().unwrap());
        deliver(&*open(&place).await, &pair(2)).await.unwrap();
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(format.readers(&after, &pair(2)), wanted, "{}", case.name);
    }
}

#[tokio::test]
async fn contents_and_other_holders_of_the_key_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    let old = pair(1);
    for (place, text, similar, also) in [
        (
            "aws-profile:prdo@F",
            "[prod]\naws_access_key_id=KEYID\naws_secret_access_key=SECRET\n[dev]\nregion=x\n",
            vec!["prod"],
            vec!["profile prod"],
        ),
        (
            "dotenv:F",
            "AWS_ACCES_KEY_ID=KEYID\nOTHER=x\n",
            vec!["AWS_ACCES_KEY_ID"],
            vec!["AWS_ACCES_KEY_ID"],
        ),
        (
            "json:F",
            "{\"accessKeyId\": \"KEYID\", \"deep\": [{\"id\": \"KEYID\"}], \"x\": 1}",
            vec!["accessKeyId"],
            vec!["/accessKeyId", "/deep/0/id"],
        ),
    ] {
        write(&path, &filled(text, &old));
        let sink = open(&place.replace('F', path.to_str().unwrap())).await;
        let inspection = sink.inspect(&old.id).await.unwrap();
        assert_eq!(inspection.absent.unwrap().similar, similar, "{place}");
        assert_eq!(inspection.also, also, "{place}");
    }
    let near = folder.path().join("credentails");
    let sink = open(&format!("aws-profile:default@{}", near.display())).await;
    let absent = sink.inspect(&old.id).await.unwrap().absent.unwrap();
    assert_eq!(absent.what, "there is no such file");
    assert_eq!(absent.similar, ["credentials"]);
}
