//! `keywright imds`: gives the programs of a machine the credentials of a role, as EC2's instance
//! metadata service and ECS do, so that unmodified SDKs find them and need no key.
//!
//! Invariants:
//!
//! - It serves on addresses that only this machine reaches.
//! - Session tokens are required (IMDSv2). Container credentials require a token from a file.
//! - Secrets are only in responses. Nothing is written but the token of `--token-file`.
//!
//! Whoever can connect to the address gets the credentials, as on EC2: use it on machines, or in
//! containers, whose users may all act in the role.

mod answers;
mod connections;
mod session_tokens;
mod source;

use std::{
    fs::File,
    io::Read,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use keywright_aws::ClientSettings;
use keywright_base::{Arn, Entropy, Secret};
use keywright_server::SystemEntropy;
use keywright_store::durable;
use tokio::net::TcpListener;

use self::{answers::MetadataService, session_tokens::SessionTokens, source::RoleSource};
use crate::{remote::RemoteArguments, run_to_end, style, style::styled};

/// The link-local addresses of EC2's and ECS's own services.
const METADATA_ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
];
/// Length of a generated container token in random bytes.
const TOKEN_BYTES: usize = 32;
/// Size limit of a token file in bytes.
const TOKEN_FILE_BYTES: u64 = 4096;

/// Serve a role's credentials to the programs of this machine, as EC2 and ECS do
#[derive(Debug, Args)]
#[command(after_help = "\
Programs then need no keys. Set in their environment one of

  AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1338

  AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:1338/credentials
  AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=FILE    (the file of --token-file)

and AWS_ENDPOINT_URL and AWS_REGION as for every client. Everyone who can connect to the address
can use the role.")]
pub(crate) struct ImdsArguments {
    /// ARN of the role to assume
    #[arg(value_name = "ROLE_ARN")]
    role: String,

    /// Address to listen on: loopback, or a link-local address of EC2 or ECS
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1338")]
    listen: SocketAddr,

    /// Also serve container credentials at /credentials, to those who send the token in this
    /// file; it is created with a random token, readable only by you, if it does not exist
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Region [default: AWS_REGION, or the profile's]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    #[command(flatten)]
    remote: RemoteArguments,
}

/// Serves until the process is stopped.
///
/// # Errors
/// If an argument is invalid, or the address or the token file cannot be used.
pub(crate) fn run(arguments: &ImdsArguments) -> anyhow::Result<()> {
    let role = role_name(&arguments.role)?;
    ensure!(
        is_local(arguments.listen.ip()),
        "{} can be reached from other machines\nhint: listen on 127.0.0.1",
        arguments.listen.ip()
    );
    let token = arguments.token_file.as_deref().map(container_token);
    let token = token.transpose()?;
    let settings = ClientSettings {
        assume_role: Some(arguments.role.clone()),
        region: arguments.region.clone(),
        ..arguments.remote.settings()
    };
    run_to_end::run(serve(arguments, settings, (role, token)))
}

async fn serve(
    arguments: &ImdsArguments,
    settings: ClientSettings,
    (role, token): (String, Option<Secret<String>>),
) -> anyhow::Result<()> {
    // Before the address is printed: its reader may send a signal immediately.
    let stop = run_to_end::stop_signal()?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    let source = RoleSource::new(settings).await?;
    if let Err(unavailable) = source.credentials().await {
        let text = format!("warning: no credentials yet: {}", unavailable.message);
        anstream::eprintln!("{}", styled(style::CAUTION, text));
    }
    anstream::println!(
        "Serving credentials of {} on http://{address}",
        arguments.role
    );
    let service = MetadataService {
        role,
        source,
        tokens: SessionTokens::generate(&SystemEntropy),
        container: token,
    };
    tokio::select! {
        () = connections::accept(listener, Arc::new(service)) => {}
        () = stop => {}
    }
    Ok(())
}

/// The last part of a role's ARN, without its path.
fn role_name(arn: &str) -> anyhow::Result<String> {
    let parsed = Arn::parse(arn).ok();
    let resource = parsed
        .as_ref()
        .and_then(|it| it.resource().strip_prefix("role/"));
    let name = resource.and_then(|path| path.rsplit('/').next());
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Ok(name.to_owned()),
        None => bail!("{arn} is not the ARN of a role, like arn:aws:iam::123456789012:role/name"),
    }
}

fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || METADATA_ADDRESSES.contains(&address)
}

/// Reads the token of a file, or creates the file with a random one.
fn container_token(path: &Path) -> anyhow::Result<Secret<String>> {
    let mut random = [0; TOKEN_BYTES];
    SystemEntropy.fill(&mut random);
    let token = Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random));
    let cannot = |verb: &str| format!("cannot {verb} {}", path.display());
    match durable::create_new(path, token.expose().as_bytes()) {
        Ok(()) => Ok(token),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut text = String::new();
            File::open(path)
                .and_then(|file| file.take(TOKEN_FILE_BYTES).read_to_string(&mut text))
                .with_context(|| cannot("read"))?;
            let token = text.trim();
            let is_token = token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic());
            ensure!(
                is_token,
                "{} has no token of at least 16 printable characters",
                path.display()
            );
            Ok(Secret::new(token.to_owned()))
        }
        Err(error) => Err(error).with_context(|| cannot("create")),
    }
}

#[cfg(test)]
mod tests;
