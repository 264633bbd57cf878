//! Aliases across accounts, and the summary's full set of keys.

use std::collections::BTreeMap;

use crate::testing::{ACCOUNT, TestInstallation, TestKeys};

fn other_account(bench: &TestInstallation) -> TestKeys {
    let id = "210987654321".parse().unwrap();
    let root = bench
        .block_on(bench.identity().create_account(id, |_| Ok(())))
        .unwrap();
    TestKeys {
        id: root.key.to_string(),
        secret: root.secret,
        token: None,
    }
}

fn create(alias: &str) -> String {
    format!("Action=CreateAccountAlias&AccountAlias={alias}")
}

fn aliases(bench: &TestInstallation, keys: &TestKeys) -> Vec<String> {
    bench
        .call(keys, "Action=ListAccountAliases")
        .values("member")
}

#[test]
fn an_account_has_one_alias_and_a_new_one_replaces_it() {
    let mut bench = TestInstallation::new();
    let root = bench.root.clone();
    assert_eq!(aliases(&bench, &root), Vec::<String>::new());
    for alias in ["acme", "acme-prod"] {
        bench.root(&create(alias)).ok();
        bench.reopen();
        assert_eq!(aliases(&bench, &root), [alias]);
    }
    let delete = "Action=DeleteAccountAlias&AccountAlias=";
    let gone = "The account alias with name acme cannot be found.";
    bench
        .root(&format!("{delete}acme"))
        .refused("NoSuchEntity", gone);
    bench.root(&format!("{delete}acme-prod")).ok();
    assert_eq!(aliases(&bench, &root), Vec::<String>::new());
}

#[test]
fn an_alias_names_one_account_of_the_installation() {
    let bench = TestInstallation::new();
    let other = other_account(&bench);
    let taken = "The account alias acme already exists.";
    bench.root(&create("acme")).ok();
    for keys in [&bench.root, &other] {
        bench
            .call(keys, &create("acme"))
            .refused("EntityAlreadyExists", taken);
    }
    let holder = bench.identity().ledger().alias_holder("acme");
    assert_eq!(holder.unwrap().to_string(), ACCOUNT);
    // The replaced alias is available again.
    bench.root(&create("acme-prod")).ok();
    bench.call(&other, &create("acme")).ok();
    assert_eq!(aliases(&bench, &other), ["acme"]);
    assert_eq!(aliases(&bench, &bench.root), ["acme-prod"]);
}

#[test]
fn two_accounts_at_once_do_not_get_the_same_alias() {
    let bench = TestInstallation::new();
    let other = other_account(&bench);
    let start = std::sync::Barrier::new(2);
    for n in 0..200 {
        let form = create(&format!("alias{n}"));
        let (bench, start, form) = (&bench, &start, &form);
        let won = std::thread::scope(|scope| {
            let call = move |keys| {
                start.wait();
                bench.call(keys, form)
            };
            let one = scope.spawn(move || call(&bench.root));
            let answers = [call(&other), one.join().unwrap()];
            answers.iter().filter(|answer| answer.is_success()).count()
        });
        assert_eq!(won, 1, "{form}");
    }
}

#[test]
fn what_is_not_an_alias() {
    let bench = TestInstallation::new();
    for alias in ["ab", "-abc", "abc-", "a--b", "Abc", "a.b", "123456789012"] {
        let refused = bench.root(&create(alias));
        assert_eq!(refused.error().code, "ValidationError", "{alias}");
    }
    bench.root(&create("1234567890123")).ok();
}

#[test]
fn each_action_is_refused_without_permission() {
    let bench = TestInstallation::new();
    let ann = bench.user("ann", &[]);
    for action in [
        "CreateAccountAlias",
        "DeleteAccountAlias",
        "ListAccountAliases",
        "GetAccountSummary",
    ] {
        let text = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:{action} on \
             resource: * because no identity-based policy allows the iam:{action} action"
        );
        let form = format!("Action={action}&AccountAlias=acme");
        bench.call(&ann, &form).refused("AccessDenied", &text);
    }
}

#[test]
fn the_summary_has_all_keys_of_aws_and_counts_what_there_is() {
    let bench = TestInstallation::new();
    bench.user("ann", &["AmazonS3FullAccess", "IAMReadOnlyAccess"]);
    bench.user("bob", &["AmazonS3FullAccess"]);
    let answer = bench.root("Action=GetAccountSummary");
    let values = answer.values("value").into_iter();
    let summary: BTreeMap<_, _> = answer.values("key").into_iter().zip(values).collect();
    assert_eq!(summary.len(), 34);
    for (key, value) in [
        ("Users", "2"),
        ("UsersQuota", "5000"),
        ("Groups", "0"),
        ("PolicyVersionsInUse", "2"),
        ("PolicyVersionsInUseQuota", "10000"),
        ("AccountAccessKeysPresent", "1"),
        ("AccountPasswordPresent", "0"),
        ("AccessKeysPerUserQuota", "2"),
        ("GlobalEndpointTokenVersion", "1"),
    ] {
        assert_eq!(summary[key], value, "{key}");
    }
}

#[test]
fn the_version_of_tokens_is_remembered() {
    let mut bench = TestInstallation::new();
    for (given, version) in [("v2Token", 2), ("v1Token", 1), ("v2Token", 2)] {
        let form = "Action=SetSecurityTokenServicePreferences&GlobalEndpointTokenVersion=";
        bench.root(&format!("{form}{given}")).ok();
        bench.reopen();
        let summary = bench.root("Action=GetAccountSummary");
        let entry = format!("<key>GlobalEndpointTokenVersion</key><value>{version}</value>");
        assert!(summary.ok().contains(&entry), "{summary:?}");
        let token = bench.root("Action=GetSessionToken");
        assert!(token.is_success(), "sessions work with either: {token:?}");
    }
}
