//! A client of the crash test: sends one request after another until the server dies, and records
//! what was acknowledged.

use std::{collections::BTreeMap, net::SocketAddr};

use anyhow::bail;
use keywright_base::Secret;

use super::model::{ExpectedState, Step, TAGS};
use crate::{
    client::{Connection, Reply},
    requests::{self, Key},
};

/// The bucket shared by all clients.
pub(super) const BUCKET: &str = "crashing";

/// Sends requests until the connection fails. The request in flight then stays in the model.
///
/// # Errors
/// A response that rejects what the acknowledged state allows.
pub(super) fn work(
    model: &mut ExpectedState,
    address: SocketAddr,
    root: &Key,
) -> anyhow::Result<()> {
    let Ok(mut connection) = Connection::open(address) else {
        // The server died before this client connected.
        return Ok(());
    };
    loop {
        let step = model.next();
        let request = request(&step, model, address, root)?;
        model.under_way = Some(step.clone());
        let Ok(reply) = connection.exchange(&request) else {
            return Ok(());
        };
        if !matches!(reply.status, 200 | 204) {
            bail!(
                "client {}: {step:?} was answered {}",
                model.client,
                reply.excerpt()
            );
        }
        let made = made(&reply, model);
        model.commits += u64::from(step.commits());
        model.done(step, made);
        model.under_way = None;
    }
}

/// The ID of the key in a response. Adds its secret to the model.
fn made(reply: &Reply<'_>, model: &mut ExpectedState) -> Option<String> {
    let id = reply.element("AccessKeyId")?.to_owned();
    let secret = Secret::new(reply.element("SecretAccessKey")?.to_owned());
    let key = Key {
        id: id.clone(),
        secret,
    };
    model.secrets.push(key);
    Some(id)
}

fn request(
    step: &Step,
    model: &ExpectedState,
    address: SocketAddr,
    root: &Key,
) -> anyhow::Result<Vec<u8>> {
    let iam = |action: &str, parameters: &[(&str, &str)]| {
        requests::query(address, root, ("iam", action), parameters)
    };
    match step {
        Step::CreateUser { user, generation } => {
            let path = model.path();
            let tags = tags(*generation);
            let mut parameters = vec![("UserName", user.as_str()), ("Path", &path)];
            parameters.extend(
                tags.iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            );
            iam("CreateUser", &parameters)
        }
        Step::TagUser { user, generation } => {
            let tags = tags(*generation);
            let mut parameters = vec![("UserName", user.as_str())];
            parameters.extend(
                tags.iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            );
            iam("TagUser", &parameters)
        }
        Step::DeleteUser { user } => iam("DeleteUser", &[("UserName", user)]),
        Step::CreateKey { user } => iam("CreateAccessKey", &[("UserName", user)]),
        Step::SetKey { user, key, active } => {
            let status = if *active { "Active" } else { "Inactive" };
            let parameters = [
                ("UserName", &**user),
                ("AccessKeyId", key),
                ("Status", status),
            ];
            iam("UpdateAccessKey", &parameters)
        }
        Step::DeleteKey { user, key } => iam(
            "DeleteAccessKey",
            &[("UserName", user), ("AccessKeyId", key)],
        ),
        Step::Put { object, content } => {
            let path = format!("/{BUCKET}/{object}");
            requests::s3(address, root, ("PUT", &path), &content.bytes())
        }
        Step::Delete { object } => {
            let path = format!("/{BUCKET}/{object}");
            requests::s3(address, root, ("DELETE", &path), b"")
        }
    }
}

/// All tags of a user, with the same value.
fn tags(generation: u64) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for number in 1..=TAGS {
        let place = format!("Tags.member.{number}");
        parameters.insert(format!("{place}.Key"), format!("tag{number}"));
        parameters.insert(format!("{place}.Value"), generation.to_string());
    }
    parameters
}
