//! Credential plugins (`exec` in a kubeconfig), by `client.authentication.k8s.io`.
//!
//! `kube` could run them, but without a limit on time and output, and its errors quote their
//! environment and their output, which is a token. Invariant: a plugin's standard output is never
//! passed on, only its standard error.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use keywright_base::Secret;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroize;

use super::super::running::{self, ProgramLimits};
use crate::environment;

const LIMITS: ProgramLimits = ProgramLimits {
    time: Duration::from_secs(60),
    output: 256 * 1024,
};

/// What a plugin prints.
#[derive(Deserialize)]
struct ExecOutput {
    status: Option<ExecCredential>,
}

/// The credentials in a plugin's output.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecCredential {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

impl Drop for ExecCredential {
    fn drop(&mut self) {
        self.token.zeroize();
        self.client_key_data.zeroize();
    }
}

impl ExecCredential {
    /// Sets the credentials of a user. A plugin prints PEM; a kubeconfig holds it in base64.
    pub(super) fn put_into(&self, user: &mut AuthInfo) {
        if let Some(token) = &self.token {
            user.token = Some(token.clone().into());
        }
        if let (Some(certificate), Some(key)) =
            (&self.client_certificate_data, &self.client_key_data)
        {
            user.client_certificate_data = Some(STANDARD.encode(certificate));
            user.client_key_data = Some(STANDARD.encode(key).into());
        }
    }
}

/// Checks what can be checked without running the plugin.
pub(super) fn check(program: &ExecConfig) -> Result<(), String> {
    let name = program.command.as_deref();
    let name = name.ok_or("its exec has no command")?;
    if program.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(format!(
            "{name} requires interactive input (interactiveMode: Always)"
        ));
    }
    Ok(())
}

/// Runs the plugin.
pub(super) async fn run(program: &ExecConfig) -> Result<ExecCredential, String> {
    let name = program.command.as_deref().unwrap_or_default();
    let at = |why: &dyn std::fmt::Display| format!("{name}: {why}");
    let mut spec = json!({"interactive": false});
    if let (Some(cluster), Some(members)) = (&program.cluster, spec.as_object_mut()) {
        let cluster = serde_json::to_value(cluster).map_err(|error| at(&error))?;
        members.insert("cluster".to_owned(), cluster);
    }
    let about = json!({
        "apiVersion": program.api_version,
        "kind": "ExecCredential",
        "spec": spec,
    });
    let mut command = environment::cluster_login(name);
    command.args(program.args.iter().flatten());
    for variable in program.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    command.env("KUBERNETES_EXEC_INFO", about.to_string());
    let ended = running::run(command, &Secret::new(Vec::new()), LIMITS).await;
    let ended = ended.map_err(|failure| match (&failure, &program.install_hint) {
        (running::ProgramError::Start(error), Some(hint)) => {
            at(&format!("{error}: {}", hint.trim()))
        }
        _ => at(&failure),
    })?;
    if !ended.status.success() {
        return Err(at(&format!("{}: {}", ended.status, ended.complaint(None))));
    }
    // Parsed as YAML, a superset of JSON, as kubectl does. The error would quote the output.
    let text = std::str::from_utf8(ended.output.expose()).unwrap_or_default();
    let printed: Option<ExecOutput> = serde_saphyr::from_str(text).ok();
    let credential = printed.and_then(|printed| printed.status);
    credential
        .filter(|found| found.token.is_some() || found.client_key_data.is_some())
        .ok_or_else(|| at(&"it printed no credential"))
}
