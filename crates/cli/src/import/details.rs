//! Turns the details of an account into an import.
//!
//! References between entities follow them into the new account. What the documents say of the old
//! account stays as it is, unless its replacement is requested.

use anyhow::{Context, bail};
use keywright_base::Arn;
use keywright_identity::import_document::{
    ImportDocument, ImportedGroup, ImportedInline, ImportedPolicy, ImportedProfile, ImportedRole,
    ImportedTag, ImportedUser, ImportedVersion,
};
use keywright_policy::replace_account;

use crate::account_details::{
    AccountDetails, AttachedDetail, BoundaryDetail, GroupDetail, InlineDetail, PolicyDetail,
    PolicyJson, ProfileDetail, RoleDetail, TagDetail, UserDetail,
};

/// Reads the pages of an account, one after the other in one text.
///
/// # Errors
/// With the position of what cannot be read.
pub(super) fn read(text: &str) -> anyhow::Result<AccountDetails> {
    let pages = serde_json::Deserializer::from_str(text).into_iter::<AccountDetails>();
    let mut all = AccountDetails::default();
    let mut count = 0;
    for page in pages {
        let mut page = page?;
        all.user_detail_list.append(&mut page.user_detail_list);
        all.group_detail_list.append(&mut page.group_detail_list);
        all.role_detail_list.append(&mut page.role_detail_list);
        all.policies.append(&mut page.policies);
        all.instance_profile_list
            .append(&mut page.instance_profile_list);
        all.is_truncated = page.is_truncated || page.next_token.is_some();
        count += 1;
    }
    match count {
        0 => bail!("there is no JSON in it"),
        _ if all.is_truncated => bail!(
            "the last page says that another one follows\n\
             hint: run aws iam get-account-authorization-details without --max-items and \
             --no-paginate, or append the pages that are missing"
        ),
        _ => Ok(all),
    }
}

/// The account that the details are of.
///
/// # Errors
/// If they are of several.
pub(super) fn account_of(details: &AccountDetails) -> anyhow::Result<Option<String>> {
    let users = details.user_detail_list.iter().map(|it| &it.arn);
    let groups = details.group_detail_list.iter().map(|it| &it.arn);
    let roles = details.role_detail_list.iter().map(|it| &it.arn);
    let policies = details.policies.iter().map(|it| &it.arn);
    let arns = users.chain(groups).chain(roles).chain(policies);
    let mut account: Option<String> = None;
    for text in arns.filter(|text| !text.is_empty()) {
        let arn = Arn::parse(text);
        let arn = arn.map_err(|_| anyhow::anyhow!("{text} is not an ARN"))?;
        match (&account, arn.account()) {
            (_, "aws") => {}
            (None, own) => account = Some(own.to_owned()),
            (Some(known), own) if known == own => {}
            (Some(known), own) => bail!("it has entities of two accounts, {known} and {own}"),
        }
    }
    Ok(account)
}

/// How entities move from one account to another.
#[derive(Debug)]
pub(super) struct AccountMove {
    /// The account that the details are of, if they have anything.
    pub(super) from: Option<String>,
    /// The account to import them into.
    pub(super) to: String,
    /// Whether documents name the new account where they named the old one.
    pub(super) replaces: bool,
}

/// An import, and what its documents say of the old account.
#[derive(Debug, Default)]
pub(super) struct MovedAccount {
    pub(super) document: ImportDocument,
    /// How many values of documents name the old account.
    pub(super) mentions: usize,
}

impl AccountMove {
    /// The import of an account.
    ///
    /// # Errors
    /// If a document is missing or is not JSON.
    pub(super) fn document(&self, details: &AccountDetails) -> anyhow::Result<MovedAccount> {
        let mut moved = MovedAccount::default();
        for policy in &details.policies {
            // AWS's own are in every account.
            if Arn::parse(&policy.arn).is_ok_and(|arn| arn.account() == "aws") {
                continue;
            }
            let policy = self.policy(policy, &mut moved.mentions)?;
            moved.document.policies.push(policy);
        }
        for group in &details.group_detail_list {
            let group = self.group(group, &mut moved.mentions)?;
            moved.document.groups.push(group);
        }
        for user in &details.user_detail_list {
            let user = self.user(user, &mut moved.mentions)?;
            moved.document.users.push(user);
        }
        for role in &details.role_detail_list {
            let profiles = role.instance_profile_list.iter();
            let profiles = profiles.map(|it| profile(it, Some(&role.role_name)));
            moved.document.instance_profiles.extend(profiles);
            let role = self.role(role, &mut moved.mentions)?;
            moved.document.roles.push(role);
        }
        let unused = details.instance_profile_list.iter();
        let unused = unused.map(|it| profile(it, None));
        moved.document.instance_profiles.extend(unused);
        Ok(moved)
    }

    fn policy(&self, policy: &PolicyDetail, found: &mut usize) -> anyhow::Result<ImportedPolicy> {
        let versions = policy.policy_version_list.iter().map(|version| {
            let owner = format!("policy {} {}", policy.policy_name, version.version_id);
            Ok(ImportedVersion {
                version_id: version.version_id.clone(),
                is_default: version.is_default_version,
                policy_document: self.text(version.document.as_ref(), &owner, found)?,
            })
        });
        Ok(ImportedPolicy {
            policy_name: policy.policy_name.clone(),
            path: policy.path.clone(),
            description: policy.description.clone(),
            tags: tags(&policy.tags),
            versions: versions.collect::<anyhow::Result<_>>()?,
        })
    }

    fn group(&self, group: &GroupDetail, found: &mut usize) -> anyhow::Result<ImportedGroup> {
        let owner = format!("group {}", group.group_name);
        Ok(ImportedGroup {
            group_name: group.group_name.clone(),
            path: group.path.clone(),
            inline_policies: self.inline(&group.group_policy_list, &owner, found)?,
            attached_policy_arns: self.attached(&group.attached_managed_policies),
        })
    }

    fn user(&self, user: &UserDetail, found: &mut usize) -> anyhow::Result<ImportedUser> {
        let owner = format!("user {}", user.user_name);
        Ok(ImportedUser {
            user_name: user.user_name.clone(),
            path: user.path.clone(),
            permissions_boundary: self.boundary(user.permissions_boundary.as_ref()),
            tags: tags(&user.tags),
            inline_policies: self.inline(&user.user_policy_list, &owner, found)?,
            attached_policy_arns: self.attached(&user.attached_managed_policies),
            group_names: user.group_list.clone(),
        })
    }

    fn role(&self, role: &RoleDetail, found: &mut usize) -> anyhow::Result<ImportedRole> {
        let owner = format!("role {}", role.role_name);
        let trust = role.assume_role_policy_document.as_ref();
        Ok(ImportedRole {
            role_name: role.role_name.clone(),
            path: role.path.clone(),
            description: role.description.clone(),
            max_session_duration: role.max_session_duration,
            assume_role_policy_document: self.text(trust, &owner, found)?,
            permissions_boundary: self.boundary(role.permissions_boundary.as_ref()),
            tags: tags(&role.tags),
            inline_policies: self.inline(&role.role_policy_list, &owner, found)?,
            attached_policy_arns: self.attached(&role.attached_managed_policies),
        })
    }

    fn inline(
        &self,
        policies: &[InlineDetail],
        owner: &str,
        found: &mut usize,
    ) -> anyhow::Result<Vec<ImportedInline>> {
        let policies = policies.iter().map(|policy| {
            let document = policy.policy_document.as_ref();
            let owner = format!("{owner}, policy {}", policy.policy_name);
            Ok(ImportedInline {
                policy_name: policy.policy_name.clone(),
                policy_document: self.text(document, &owner, found)?,
            })
        });
        policies.collect()
    }

    /// The text of a document. Counts the values that name the old account.
    fn text(
        &self,
        document: Option<&PolicyJson>,
        owner: &str,
        found: &mut usize,
    ) -> anyhow::Result<String> {
        let text = &document
            .with_context(|| format!("{owner}: no policy document"))?
            .0;
        let Some(from) = self.from.as_deref().filter(|from| *from != self.to) else {
            return Ok(text.clone());
        };
        // What is not JSON is rejected by the server, with AWS's text.
        let Ok(replaced) = replace_account(text, from, &self.to) else {
            return Ok(text.clone());
        };
        *found += replaced.count;
        Ok(if self.replaces {
            replaced.text
        } else {
            text.clone()
        })
    }

    fn attached(&self, policies: &[AttachedDetail]) -> Vec<String> {
        let arns = policies.iter().map(|it| self.own(&it.policy_arn));
        arns.collect()
    }

    fn boundary(&self, boundary: Option<&BoundaryDetail>) -> Option<String> {
        boundary.map(|it| self.own(&it.permissions_boundary_arn))
    }

    /// The ARN of a policy in the new account if it is the old account's.
    fn own(&self, arn: &str) -> String {
        match Arn::parse(arn) {
            Ok(parsed) if self.from.as_deref() == Some(parsed.account()) => {
                format!("arn:aws:iam::{}:{}", self.to, parsed.resource())
            }
            Ok(_) | Err(_) => arn.to_owned(),
        }
    }
}

fn profile(profile: &ProfileDetail, role: Option<&str>) -> ImportedProfile {
    ImportedProfile {
        instance_profile_name: profile.instance_profile_name.clone(),
        path: profile.path.clone(),
        tags: tags(&profile.tags),
        role_name: role.map(str::to_owned),
    }
}

fn tags(tags: &[TagDetail]) -> Vec<ImportedTag> {
    let tags = tags.iter().map(|tag| ImportedTag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    });
    tags.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "111122223333";
    const NEW: &str = "444455556666";

    fn moved(json: &str, replaces: bool) -> MovedAccount {
        let details = read(json).unwrap();
        let way = AccountMove {
            from: account_of(&details).unwrap(),
            to: NEW.to_owned(),
            replaces,
        };
        way.document(&details).unwrap()
    }

    #[test]
    fn references_follow_and_documents_only_on_request() {
        let json = format!(
            r#"{{"UserDetailList": [{{"UserName": "ann", "Path": "/",
            "Arn": "arn:aws:iam::{OLD}:user/ann",
            "AttachedManagedPolicies": [
              {{"PolicyName": "p", "PolicyArn": "arn:aws:iam::{OLD}:policy/t/p"}},
              {{"PolicyName": "q", "PolicyArn": "arn:aws:iam::aws:policy/q"}}],
            "PermissionsBoundary": {{"PermissionsBoundaryType": "Policy",
              "PermissionsBoundaryArn": "arn:aws:iam::{OLD}:policy/b"}},
            "UserPolicyList": [{{"PolicyName": "i", "PolicyDocument":
              {{"Statement": {{"Resource": "arn:aws:iam::{OLD}:user/*"}}}}}}]}}]}}"#
        );
        for (replaces, account) in [(false, OLD), (true, NEW)] {
            let moved = moved(&json, replaces);
            let user = moved.document.users.first().unwrap();
            let policies = [
                format!("arn:aws:iam::{NEW}:policy/t/p"),
                "arn:aws:iam::aws:policy/q".to_owned(),
            ];
            assert_eq!(user.attached_policy_arns, policies);
            let boundary = format!("arn:aws:iam::{NEW}:policy/b");
            assert_eq!(user.permissions_boundary, Some(boundary));
            let document =
                format!(r#"{{"Statement":{{"Resource":"arn:aws:iam::{account}:user/*"}}}}"#);
            assert_eq!(user.inline_policies[0].policy_document, document);
            assert_eq!(moved.mentions, 1);
        }
    }

    #[test]
    fn pages_are_joined() {
        let page = |name: &str, more: &str| {
            format!(r#"{{"GroupDetailList": [{{"GroupName": "{name}"}}]{more}}}"#)
        };
        let first = page("a", r#", "IsTruncated": true, "Marker": "m""#);
        let both = format!("{first}\n{}", page("b", ""));
        let names = |details: AccountDetails| {
            let groups = details.group_detail_list.into_iter();
            groups.map(|group| group.group_name).collect::<Vec<_>>()
        };
        assert_eq!(names(read(&both).unwrap()), ["a", "b"]);
        let token = page("a", r#", "NextToken": "t""#);
        for (text, why) in [
            (first, "another one follows"),
            (token, "another one follows"),
            (String::new(), "no JSON"),
            (
                format!("{both}\n{{\"Users\": []}}"),
                "unknown field `Users`",
            ),
            ("{\"Policies\": [{]}".to_owned(), "at line 1 column 16"),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn one_account_at_a_time() {
        let json = |other: &str| {
            format!(
                r#"{{"UserDetailList": [{{"Arn": "arn:aws:iam::{OLD}:user/ann"}}],
                "Policies": [{{"Arn": "arn:aws:iam::{other}:policy/p"}}]}}"#
            )
        };
        let account = |other: &str| account_of(&read(&json(other)).unwrap());
        assert_eq!(account("aws").unwrap().as_deref(), Some(OLD));
        assert_eq!(account(OLD).unwrap().as_deref(), Some(OLD));
        let error = account(NEW).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("it has entities of two accounts, {OLD} and {NEW}")
        );
    }
}
