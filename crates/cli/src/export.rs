//! `keywright export`: writes users, groups, roles, policies and instance profiles of an account as
//! the JSON of `aws iam get-account-authorization-details`.
//!
//! This is an ordinary client of IAM, with the permissions of the user's own AWS credentials. What
//! AWS's operation leaves out, it adds from other operations of IAM.
//!
//! Invariant: the file is complete or there is none.

use std::{
    collections::{BTreeMap, HashSet},
    io::Write,
    path::PathBuf,
};

use anyhow::{Context, bail};
use clap::Args;
use keywright_aws::{AccountClient, QueryService, ResponseTree};
use keywright_store::durable;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    account_details::{AccountDetails, PolicyDetail, ProfileDetail, RoleDetail, TagDetail},
    json_output,
    remote::{RemoteArguments, counted},
};

/// Write the users, groups, roles and policies of an account as JSON
///
/// The format is that of `aws iam get-account-authorization-details`, with what AWS leaves out:
/// descriptions and session durations of roles, tags of policies and instance profiles, and
/// instance profiles without a role. `keywright import` reads it. Credentials are not part of it.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// File to write; it must not exist yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    remote: RemoteArguments,
}

/// Exports an account.
///
/// # Errors
/// If the server is unreachable or denies a request, or the file cannot be written.
pub(crate) fn run(arguments: &ExportArguments) -> anyhow::Result<()> {
    let details = arguments
        .remote
        .with_client(async |client| details(&client).await)?;
    let mut text = Vec::new();
    json_output::write(&mut text, &details)?;
    match &arguments.output {
        Some(path) => {
            let cannot = || format!("cannot create {}", path.display());
            durable::create_new(path, &text).with_context(cannot)?;
        }
        None => {
            let mut out = std::io::stdout().lock();
            out.write_all(&text)?;
            out.flush()?;
        }
    }
    let mut talk = anstream::stderr().lock();
    writeln!(
        talk,
        "exported {}, {}, {} and {}",
        counted(details.user_detail_list.len(), "user"),
        counted(details.group_detail_list.len(), "group"),
        counted(details.role_detail_list.len(), "role"),
        match details.policies.len() {
            1 => "1 policy".to_owned(),
            count => format!("{count} policies"),
        },
    )?;
    Ok(())
}

async fn details(client: &AccountClient) -> anyhow::Result<AccountDetails> {
    let mut all = AccountDetails::default();
    for page in pages(client, "GetAccountAuthorizationDetails").await? {
        let mut page: AccountDetails = read(&page)?;
        all.user_detail_list.append(&mut page.user_detail_list);
        all.group_detail_list.append(&mut page.group_detail_list);
        all.role_detail_list.append(&mut page.role_detail_list);
        all.policies.append(&mut page.policies);
    }
    add_to_roles(client, &mut all.role_detail_list).await?;
    for policy in &mut all.policies {
        if !policy.arn.starts_with("arn:aws:iam::aws:") {
            policy.tags = policy_tags(client, policy).await?;
        }
    }
    add_profiles(client, &mut all).await?;
    Ok(all)
}

/// Adds the descriptions and session durations of roles.
async fn add_to_roles(client: &AccountClient, roles: &mut [RoleDetail]) -> anyhow::Result<()> {
    let mut listed: BTreeMap<String, (Option<String>, Option<i32>)> = BTreeMap::new();
    for page in pages(client, "ListRoles").await? {
        for role in members(&page, "Roles") {
            let name = role.text_of("RoleName").unwrap_or_default();
            let description = role.text_of("Description").map(str::to_owned);
            let duration = role.text_of("MaxSessionDuration");
            let duration = duration.map(str::parse).transpose()?;
            listed.insert(name.to_owned(), (description, duration));
        }
    }
    for role in roles {
        // A role that was deleted in the meantime stays without.
        if let Some((description, duration)) = listed.remove(&role.role_name) {
            role.description = description;
            role.max_session_duration = duration;
        }
    }
    Ok(())
}

async fn policy_tags(
    client: &AccountClient,
    policy: &PolicyDetail,
) -> anyhow::Result<Vec<TagDetail>> {
    tags(client, "ListPolicyTags", ("PolicyArn", &policy.arn)).await
}

/// Adds the tags of instance profiles, and the instance profiles without a role.
async fn add_profiles(client: &AccountClient, all: &mut AccountDetails) -> anyhow::Result<()> {
    const OPERATION: &str = "ListInstanceProfileTags";
    let mut known = HashSet::new();
    for role in &mut all.role_detail_list {
        for profile in &mut role.instance_profile_list {
            let name = profile.instance_profile_name.as_str();
            known.insert(name.to_owned());
            profile.tags = tags(client, OPERATION, ("InstanceProfileName", name)).await?;
        }
    }
    for page in pages(client, "ListInstanceProfiles").await? {
        for profile in members(&page, "InstanceProfiles") {
            let mut profile: ProfileDetail = read(profile)?;
            let name = profile.instance_profile_name.as_str();
            if profile.roles.is_empty() && !known.contains(name) {
                profile.tags = tags(client, OPERATION, ("InstanceProfileName", name)).await?;
                all.instance_profile_list.push(profile);
            }
        }
    }
    Ok(())
}

/// The tags of an entity. There are at most fifty, which fit on a page.
async fn tags(
    client: &AccountClient,
    operation: &'static str,
    owner: (&str, &str),
) -> anyhow::Result<Vec<TagDetail>> {
    let parameters = [owner];
    let answer = client.read_tree(QueryService::Iam, operation, &parameters);
    let answer = answer
        .await
        .with_context(|| format!("cannot call {operation}"))?;
    members(&answer, "Tags").map(read).collect()
}

/// Pages of one list.
const PAGES_MAX: usize = 1000;

/// The pages of a list.
async fn pages(
    client: &AccountClient,
    operation: &'static str,
) -> anyhow::Result<Vec<ResponseTree>> {
    let mut pages: Vec<ResponseTree> = Vec::new();
    let mut marker: Option<String> = None;
    while pages.len() < PAGES_MAX {
        let parameters: Vec<_> = marker.iter().map(|marker| ("Marker", &**marker)).collect();
        let answer = client.read_tree(QueryService::Iam, operation, &parameters);
        let page = answer
            .await
            .with_context(|| format!("cannot call {operation}"))?;
        marker = page.text_of("Marker").map(str::to_owned);
        pages.push(page);
        if marker.is_none() {
            return Ok(pages);
        }
    }
    bail!("the list of {operation} has more than {PAGES_MAX} pages")
}

/// The items of a list.
fn members<'a>(
    tree: &'a ResponseTree,
    list: &str,
) -> impl Iterator<Item = &'a ResponseTree> + use<'a> {
    let list = tree.element(list).into_iter();
    list.flat_map(|list| &list.elements)
}

/// Reads an element as the JSON of the AWS CLI would have it.
fn read<T: DeserializeOwned>(tree: &ResponseTree) -> anyhow::Result<T> {
    let read = serde_json::from_value(to_json(tree));
    read.with_context(|| format!("the server's answer cannot be read: {}", tree.name))
}

/// Elements that are lists, also if they are empty.
const LISTS: [&str; 12] = [
    "AttachedManagedPolicies",
    "GroupDetailList",
    "GroupList",
    "GroupPolicyList",
    "InstanceProfileList",
    "Policies",
    "PolicyVersionList",
    "RoleDetailList",
    "RolePolicyList",
    "Roles",
    "Tags",
    "UserDetailList",
];
/// Elements that are structures, also if they are empty.
const STRUCTURES: [&str; 1] = ["RoleLastUsed"];
/// Elements that are numbers or truth values, which JSON writes without quotes.
const BARE: [&str; 6] = [
    "AttachmentCount",
    "IsAttachable",
    "IsDefaultVersion",
    "IsTruncated",
    "MaxSessionDuration",
    "PermissionsBoundaryUsageCount",
];

fn to_json(tree: &ResponseTree) -> Value {
    let name = tree.name.as_str();
    let is_list = tree.elements.first().is_some_and(|it| it.name == "member");
    if is_list || LISTS.contains(&name) {
        return Value::Array(tree.elements.iter().map(to_json).collect());
    }
    if !tree.elements.is_empty() || STRUCTURES.contains(&name) {
        let members = tree.elements.iter();
        let members = members.map(|element| (element.name.clone(), to_json(element)));
        return Value::Object(members.collect::<Map<_, _>>());
    }
    if BARE.contains(&name)
        && let Ok(value) = serde_json::from_str(&tree.text)
    {
        return value;
    }
    Value::String(tree.text.clone())
}
