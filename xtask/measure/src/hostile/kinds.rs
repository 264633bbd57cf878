//! The kinds of hostile requests, and the account that makes them expensive: many users, a policy
//! that is mostly whitespace, denials, and a user whose decisions take long.

use anyhow::{Context, ensure};

use crate::{
    client::{Connection, Reply},
    installation::Running,
    requests::{self, Key},
};

/// Users in the account: the size of the longest page.
const USERS: usize = 1000;
/// Number of denied requests that are remembered.
const DENIALS: usize = 1000;
/// Characters of the longest policy document, including whitespace.
const DOCUMENT_CHARS: usize = 131_072;
/// For the user whose decisions take long: patterns per managed policy, and number of such
/// policies.
const WIDE: (usize, usize) = (80, 10);
/// Patterns and values of a simulation that is rejected: 197 kB, as first found.
const REFUSED: Size = Size {
    patterns: 5000,
    values: 2000,
    value_bytes: 10,
};
/// The same for one that is carried out, with about as many steps as a page may take.
const CARRIED_OUT: Size = Size {
    patterns: 400,
    values: 400,
    value_bytes: 90,
};

/// The size of a simulation.
#[derive(Clone, Copy)]
struct Size {
    patterns: usize,
    values: usize,
    value_bytes: usize,
}

/// The name of a kind, and its request.
type Kind = (&'static str, Vec<u8>);

/// Fills the account and builds a request of each kind.
///
/// # Errors
/// If the server rejects root's requests.
pub(super) fn prepare(server: &Running, root: &Key) -> anyhow::Result<Vec<Kind>> {
    let mut account = HostileAccount {
        server,
        root,
        connection: Connection::open(server.address)?,
    };
    let blank = account.fill()?;
    let reader = account.user("reader", "/", &["ReadOnlyAccess"])?;
    let admin = account.user("admin", "/", &["AdministratorAccess"])?;
    let wide = account.wide()?;
    account.deny(&reader)?;
    let mut kinds = vec![
        (
            "simulations that are too large",
            simulation(server, &reader, REFUSED)?,
        ),
        (
            "the largest simulations",
            simulation(server, &reader, CARRIED_OUT)?,
        ),
    ];
    kinds.extend(listings(server, (&reader, &admin), &blank)?);
    kinds.extend(documents_and_decisions(server, (&admin, &wide))?);
    Ok(kinds)
}

/// Requests whose answers are long.
fn listings(
    server: &Running,
    (reader, admin): (&Key, &Key),
    blank: &str,
) -> anyhow::Result<Vec<Kind>> {
    let page = ("MaxItems", "1000");
    let s3 = ("PolicyArn", "arn:aws:iam::aws:policy/AmazonS3FullAccess");
    let iam = |action: &str, parameters: &[(&str, &str)]| {
        requests::query(server.address, reader, ("iam", action), parameters)
    };
    let denials = ("keywright", "ListDeniedRequests");
    Ok(vec![
        ("ListPolicies", iam("ListPolicies", &[page])?),
        ("ListUsers", iam("ListUsers", &[page])?),
        (
            "ListEntitiesForPolicy",
            iam("ListEntitiesForPolicy", &[s3, page])?,
        ),
        ("GetGroup", iam("GetGroup", &[("GroupName", "all"), page])?),
        ("GetCredentialReport", iam("GetCredentialReport", &[])?),
        (
            "GetPolicyVersion of 128 KiB",
            iam(
                "GetPolicyVersion",
                &[("PolicyArn", blank), ("VersionId", "v1")],
            )?,
        ),
        (
            "ListDeniedRequests",
            requests::query(server.address, admin, denials, &[page])?,
        ),
    ])
}

/// Requests with long documents, and those whose decisions take most steps.
fn documents_and_decisions(
    server: &Running,
    (admin, wide): (&Key, &Key),
) -> anyhow::Result<Vec<Kind>> {
    let iam = |key: &Key, action: &str, parameters: &[(&str, &str)]| {
        requests::query(server.address, key, ("iam", action), parameters)
    };
    let too_long = format!("{{\"Version\":\"{}\"}}", "x".repeat(DOCUMENT_CHARS - 20));
    let tags = [
        ("UserName", "wide"),
        ("Tags.member.1.Key", "k"),
        ("Tags.member.1.Value", "v"),
    ];
    Ok(vec![
        (
            "CreatePolicy of 128 KiB",
            iam(
                admin,
                "CreatePolicy",
                &[("PolicyName", "p"), ("PolicyDocument", &too_long)],
            )?,
        ),
        (
            "the longest decisions",
            iam(wide, "GetUser", &[("UserName", "wide")])?,
        ),
        (
            "the longest decisions of changes",
            iam(wide, "TagUser", &tags)?,
        ),
    ])
}

/// The account being filled.
struct HostileAccount<'a> {
    server: &'a Running,
    root: &'a Key,
    connection: Connection,
}

impl HostileAccount<'_> {
    /// Creates many entities, for long lists. Returns the ARN of a policy that is mostly
    /// whitespace.
    fn fill(&mut self) -> anyhow::Result<String> {
        let policy = "arn:aws:iam::aws:policy/AmazonS3FullAccess";
        self.ask("CreateGroup", &[("GroupName", "all")])?;
        for number in 0..USERS {
            let user = format!("user{number}");
            let user = ("UserName", &*user);
            self.ask("CreateUser", &[user])?;
            self.ask("AddUserToGroup", &[user, ("GroupName", "all")])?;
            self.ask("AttachUserPolicy", &[user, ("PolicyArn", policy)])?;
        }
        self.ask("GenerateCredentialReport", &[])?;
        let statement = "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}";
        let text = format!("{{\"Version\":\"2012-10-17\",\"Statement\":{statement}}}");
        let document = text.replace(":{", &format!(":{}{{", " ".repeat(DOCUMENT_CHARS - 200)));
        self.policy("blank", &document)
    }

    /// Creates a user with a key.
    fn user(&mut self, name: &str, path: &str, policies: &[&str]) -> anyhow::Result<Key> {
        let user = ("UserName", name);
        self.ask("CreateUser", &[user, ("Path", path)])?;
        for policy in policies {
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            self.ask("AttachUserPolicy", &[user, ("PolicyArn", &arn)])?;
        }
        let reply = self.ask("CreateAccessKey", &[user])?;
        let id = reply.element("AccessKeyId").context("no access key")?;
        let secret = reply.element("SecretAccessKey").context("no secret")?;
        Ok(Key {
            id: id.to_owned(),
            secret: keywright_base::Secret::new(secret.to_owned()),
        })
    }

    /// Creates a user whose policies compare its long ARN with patterns that almost match
    /// everywhere.
    fn wide(&mut self) -> anyhow::Result<Key> {
        let path = format!("/{}/", "ab".repeat(250));
        let key = self.user("wide", &path, &[])?;
        let (patterns, policies) = WIDE;
        for policy in 0..policies {
            let spared =
                (0..patterns).map(|n| format!("\"arn:aws:iam::*:user/*a?b*a?b*z{policy}{n}*\""));
            let spared: Vec<_> = spared.chain(["\"*\"".to_owned()]).collect();
            let document = format!(
                "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":\
                 \"iam:*\",\"Resource\":\"*\"}},{{\"Effect\":\"Deny\",\"Action\":\"iam:*\",\
                 \"NotResource\":[{}]}}]}}",
                spared.join(",")
            );
            let name = format!("wide{policy}");
            let arn = self.policy(&name, &document)?;
            self.ask(
                "AttachUserPolicy",
                &[("UserName", "wide"), ("PolicyArn", &arn)],
            )?;
        }
        Ok(key)
    }

    /// Creates a managed policy and returns its ARN.
    fn policy(&mut self, name: &str, document: &str) -> anyhow::Result<String> {
        let parameters = [("PolicyName", name), ("PolicyDocument", document)];
        let reply = self.ask("CreatePolicy", &parameters)?;
        reply.element("Arn").map(str::to_owned).context("no ARN")
    }

    /// Sends requests of a user that are denied.
    fn deny(&mut self, key: &Key) -> anyhow::Result<()> {
        let user = [("UserName", "user0")];
        let request = requests::query(self.server.address, key, ("iam", "DeleteUser"), &user)?;
        for _ in 0..DENIALS {
            let reply = self.connection.exchange(&request)?;
            ensure!(reply.status == 403, "not denied: {}", reply.excerpt());
        }
        Ok(())
    }

    fn ask(&mut self, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Reply<'_>> {
        let action = ("iam", action);
        let request = requests::query(self.server.address, self.root, action, parameters)?;
        let reply = self.connection.exchange(&request)?;
        ensure!(reply.status == 200, "not answered: {}", reply.excerpt());
        Ok(reply)
    }
}

/// A simulation that compares every value with every pattern.
fn simulation(server: &Running, key: &Key, size: Size) -> anyhow::Result<Vec<u8>> {
    let patterns = (0..size.patterns).map(|number| format!("\"*a?b*z{number}*\""));
    let patterns: Vec<_> = patterns.collect();
    let policy = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"*\",\
         \"Resource\":\"*\",\"Condition\":{{\"ForAnyValue:StringLike\":{{\"aws:TagKeys\":[{}]\
         }}}}}}}}",
        patterns.join(",")
    );
    let value = "aab".repeat(size.value_bytes / 3);
    let entry = "ContextEntries.member.1.ContextKey";
    let values = (1..=size.values).map(|at| format!("{entry}Values.member.{at}"));
    let values: Vec<_> = values.collect();
    let (name, kind) = (format!("{entry}Name"), format!("{entry}Type"));
    let mut parameters = vec![
        ("PolicyInputList.member.1", &*policy),
        ("ActionNames.member.1", "s3:GetObject"),
        (&*name, "aws:TagKeys"),
        (&*kind, "stringList"),
    ];
    parameters.extend(values.iter().map(|name| (&**name, &*value)));
    let action = ("iam", "SimulateCustomPolicy");
    requests::query(server.address, key, action, &parameters)
}
