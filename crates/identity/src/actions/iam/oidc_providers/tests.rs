//! OpenID Connect providers: their rules, and AWS's texts.

use crate::testing::{ACCOUNT, TestInstallation};

const URL: &str = "https://idp.example.com/tenant";
const PRINT: &str = "990F4193972F2BECF12DDEDA5237F9C952F20D9E";

fn arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{name}")
}

fn named(action: &str, name: &str) -> String {
    let arn = arn(name);
    format!("Action={action}&OpenIDConnectProviderArn={arn}")
}

fn create(url: &str) -> String {
    format!("Action=CreateOpenIDConnectProvider&Url={url}")
}

fn list(member: &str, values: impl Iterator<Item = String>) -> String {
    let numbered = values.zip(1..);
    let member = |(value, number)| format!("&{member}.member.{number}={value}");
    numbered.map(member).collect()
}

#[test]
fn a_provider_is_what_was_given() {
    let mut bench = TestInstallation::new();
    let more = format!(
        "&ClientIDList.member.1=b&ClientIDList.member.2=a&ClientIDList.member.3=b\
         &ThumbprintList.member.1={PRINT}&Tags.member.1.Key=k&Tags.member.1.Value=v"
    );
    let created = bench.root(&format!("{}{more}", create(URL)));
    let own = arn("idp.example.com/tenant");
    assert_eq!(created.value("OpenIDConnectProviderArn"), own);
    assert_eq!(created.values("Key"), ["k"]);
    bench.reopen();
    let got = bench.root(&named("GetOpenIDConnectProvider", "idp.example.com/tenant"));
    assert_eq!(got.value("Url"), "idp.example.com/tenant");
    assert_eq!(got.value("CreateDate"), "2026-11-24T08:00:00Z");
    let members = ["b", "a", &PRINT.to_lowercase()];
    assert_eq!(&got.values("member")[..3], members);
    let listed = bench.root("Action=ListOpenIDConnectProviders");
    assert_eq!(listed.values("Arn"), [own]);
    let summary = bench.root("Action=GetAccountSummary");
    let providers = "<entry><key>Providers</key><value>1</value></entry>";
    assert!(summary.ok().replace(['\n', ' '], "").contains(providers));
    let delete = named("DeleteOpenIDConnectProvider", "idp.example.com/tenant");
    bench.root(&delete).ok();
    bench.reopen();
    let listed = bench.root("Action=ListOpenIDConnectProviders");
    assert_eq!(listed.values("Arn"), [""; 0]);
}

#[test]
fn client_ids_thumbprints_and_tags_change() {
    let bench = TestInstallation::new();
    bench.root(&create("https://idp.example.com")).ok();
    let on = |action: &str, more: &str| {
        let form = format!("{}&{more}", named(action, "idp.example.com"));
        bench.root(&form).ok().to_owned()
    };
    let members = || {
        let got = bench.root(&named("GetOpenIDConnectProvider", "idp.example.com"));
        got.values("member")
    };
    // Adding and removing are idempotent.
    for _ in 0..2 {
        on(
            "AddClientIDToOpenIDConnectProvider",
            "ClientID=sts.amazonaws.com",
        );
        assert_eq!(members(), ["sts.amazonaws.com"]);
    }
    let prints = format!("ThumbprintList.member.1={PRINT}");
    on("UpdateOpenIDConnectProviderThumbprint", &prints);
    assert_eq!(members(), ["sts.amazonaws.com", &PRINT.to_lowercase()]);
    for _ in 0..2 {
        on(
            "RemoveClientIDFromOpenIDConnectProvider",
            "ClientID=sts.amazonaws.com",
        );
        assert_eq!(members(), [PRINT.to_lowercase()]);
    }
    on(
        "TagOpenIDConnectProvider",
        "Tags.member.1.Key=k&Tags.member.1.Value=v",
    );
    on(
        "TagOpenIDConnectProvider",
        "Tags.member.1.Key=K&Tags.member.1.Value=w",
    );
    let tags = || bench.root(&named("ListOpenIDConnectProviderTags", "idp.example.com"));
    assert_eq!(tags().values("Key"), ["K", "k"]);
    on("UntagOpenIDConnectProvider", "TagKeys.member.1=K");
    assert_eq!(tags().values("Key"), ["k"]);
}

#[test]
fn urls_are_those_of_issuers() {
    let bench = TestInstallation::new();
    for url in [
        "https://idp.example.com",
        "https://idp.example.com/id/AB12",
        "https://gitlab:8443",
        "https://gitlab/tenant",
        "https://10.0.0.1:6443",
        "https://[fd00::1]:6443/a",
        "https://tenant.auth0.com/",
    ] {
        bench.root(&create(url)).ok();
    }
    for url in [
        "http://idp.example.com",
        "HTTPS://idp.example.com",
        "idp.example.com",
        "https://",
        "https://aws",
        "https://sts",
        "https:///path",
        "https://user@idp.example.com",
        "https://user:pass@idp.example.com",
        "https://idp.example.com?a=b",
        "https://idp.example.com/%3Fa=b?",
        "https://idp.example.com/%23#",
        "https://idp.example.com/../a",
        "https://idp.example.com//a",
        "https://idp.example.com\\@other.example.com",
        "https://idp example.com",
        "https://idp.example.com:port",
        "https://idp.example.com/\u{e4}",
    ] {
        let url = url
            .replace('#', "%23")
            .replace('&', "%26")
            .replace('?', "%3F");
        bench
            .root(&create(&url))
            .refused("ValidationError", "Invalid Open ID Connect Provider URL");
    }
    let long = |length: usize| format!("https://idp.example.com/{}", "a".repeat(length - 24));
    bench.root(&create(&long(255))).ok();
    let error = bench.root(&create(&long(256)));
    assert_eq!(error.error().code, "ValidationError");
}

#[test]
fn limits_are_those_of_aws() {
    let bench = TestInstallation::new();
    let prints = |count| list("ThumbprintList", (0..count).map(|n| format!("{n:040}")));
    let ids = |count| list("ClientIDList", (0..count).map(|n| format!("id{n}")));
    bench
        .root(&format!("{}{}", create(URL), prints(6)))
        .refused(
            "InvalidInput",
            "Thumbprint list must contain fewer than 5 entries.",
        );
    let no_hex = format!("&ThumbprintList.member.1={}", "g".repeat(40));
    bench.root(&format!("{}{no_hex}", create(URL))).refused(
        "InvalidInput",
        "A thumbprint must consist of 40 hexadecimal digits.",
    );
    let quota = "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100";
    bench
        .root(&format!("{}{}", create(URL), ids(101)))
        .refused("LimitExceeded", quota);
    bench
        .root(&format!("{}{}{}", create(URL), ids(100), prints(5)))
        .ok();
    let name = "idp.example.com/tenant";
    let add = named("AddClientIDToOpenIDConnectProvider", name);
    bench
        .root(&format!("{add}&ClientID=id100"))
        .refused("LimitExceeded", quota);
    bench.root(&format!("{add}&ClientID=id99")).ok();
    let update = named("UpdateOpenIDConnectProviderThumbprint", name);
    bench.root(&format!("{update}{}", prints(6))).refused(
        "InvalidInput",
        "Thumbprint list must contain fewer than 5 entries.",
    );
    // The same issuer, also with another slash at the end.
    for url in [URL, "https://idp.example.com/tenant/"] {
        let text = format!("Provider with url {url} already exists.");
        bench
            .root(&create(url))
            .refused("EntityAlreadyExists", &text);
    }
    for number in 1..100 {
        bench
            .root(&create(&format!("https://n{number}.example.com")))
            .ok();
    }
    let quota = "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100";
    bench
        .root(&create("https://n100.example.com"))
        .refused("LimitExceeded", quota);
}

#[test]
fn what_is_missing_is_named() {
    let bench = TestInstallation::new();
    let own = arn("none.example.com");
    let text = format!("OpenIDConnect Provider not found for arn {own}");
    for (action, more) in [
        ("GetOpenIDConnectProvider", ""),
        ("UpdateOpenIDConnectProviderThumbprint", PRINT),
        ("AddClientIDToOpenIDConnectProvider", "&ClientID=a"),
        ("RemoveClientIDFromOpenIDConnectProvider", "&ClientID=a"),
        (
            "TagOpenIDConnectProvider",
            "&Tags.member.1.Key=k&Tags.member.1.Value=v",
        ),
        ("UntagOpenIDConnectProvider", "&TagKeys.member.1=k"),
        ("ListOpenIDConnectProviderTags", ""),
    ] {
        let more = more.replace(PRINT, &format!("&ThumbprintList.member.1={PRINT}"));
        let answer = bench.root(&format!("{}{more}", named(action, "none.example.com")));
        answer.refused("NoSuchEntity", &text);
    }
    let text = format!("OpenId connect Provider {own} cannot be found.");
    bench
        .root(&named("DeleteOpenIDConnectProvider", "none.example.com"))
        .refused("NoSuchEntity", &text);
}

/// A condition on a provider's tags holds for every operation on it.
#[test]
fn tags_of_a_provider_decide() {
    let bench = TestInstallation::new();
    let keys = bench.user("ann", &[]);
    let tag = "&Tags.member.1.Key=team&Tags.member.1.Value=red";
    bench.root(&format!("{}{tag}", create(URL))).ok();
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::*:oidc-provider/*","Condition":{"StringEquals":{"aws:ResourceTag/team":"TEAM"}}}}"#;
    for (team, may) in [("red", true), ("blue", false)] {
        let policy = policy.replace("TEAM", team);
        let put = format!("Action=PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument={policy}");
        bench.root(&put).ok();
        let get = named("GetOpenIDConnectProvider", "idp.example.com/tenant");
        assert_eq!(bench.call(&keys, &get).is_success(), may, "{team}");
    }
}
