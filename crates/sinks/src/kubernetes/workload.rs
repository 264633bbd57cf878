//! Workloads that read a Secret only when they start: the sink restarts them and waits.
//!
//! Invariants: a rollout is complete when the cluster says so, by the same signs that `kubectl
//! rollout status` checks; and a workload is restarted once per key, however often that is
//! requested.

use std::{fmt, str::FromStr};

use kube::core::Request;
use serde_json::{Value, json};

/// The annotation that `kubectl rollout restart` sets.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
/// The annotation with the key that the pods were started for.
const STARTED_FOR: &str = "keywright-access-key-id";

/// A workload that reads the Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workload {
    kind: WorkloadKind,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
}

impl WorkloadKind {
    /// The name that users write, and the one in the API's paths.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Deployment => ("deployment", "deployments"),
            Self::StatefulSet => ("statefulset", "statefulsets"),
            Self::DaemonSet => ("daemonset", "daemonsets"),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.words().0, self.name)
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text} is not of the form deployment/NAME, statefulset/NAME or daemonset/NAME")
        };
        let (kind, name) = text.split_once('/').ok_or_else(wrong)?;
        let mut kinds = [
            WorkloadKind::Deployment,
            WorkloadKind::StatefulSet,
            WorkloadKind::DaemonSet,
        ]
        .into_iter();
        let kind = kinds
            .find(|known| known.words().0 == kind)
            .ok_or_else(wrong)?;
        if !super::is_name(name) {
            return Err(wrong());
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
        })
    }
}

impl Workload {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// All workloads of its kind in the namespace.
    pub(super) fn siblings(&self, namespace: &str) -> Request {
        let plural = self.kind.words().1;
        Request::new(format!("/apis/apps/v1/namespaces/{namespace}/{plural}"))
    }

    /// Checks that a change of its template would restart its pods.
    pub(super) fn check(&self, seen: &Value) -> Result<(), String> {
        let spec = |pointer: &str| seen.pointer(pointer);
        if spec("/spec/paused").and_then(Value::as_bool) == Some(true) {
            return Err(format!("{self} is paused, so it does not restart"));
        }
        let partition = spec("/spec/updateStrategy/rollingUpdate/partition");
        if partition.and_then(Value::as_i64).unwrap_or(0) > 0 {
            return Err(format!(
                "{self} has a partition, whose pods are not restarted"
            ));
        }
        match spec("/spec/updateStrategy/type").and_then(Value::as_str) {
            Some("OnDelete") => Err(format!(
                "{self} restarts its pods only when they are deleted (OnDelete)"
            )),
            _ => Ok(()),
        }
    }

    /// Whether its pods were started for this key, or are being started.
    pub(super) fn is_started_for(seen: &Value, key: &str) -> bool {
        let annotations = seen.pointer("/spec/template/metadata/annotations");
        let found = annotations.and_then(|found| found.get(STARTED_FOR)?.as_str());
        found == Some(key)
    }

    /// The patch that restarts its pods.
    pub(super) fn restart(key: &str, now: &str) -> Value {
        let annotations = json!({RESTARTED: now, STARTED_FOR: key});
        json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
    }

    /// How far its rollout is.
    pub(super) fn rollout(&self, seen: &Value) -> RolloutStatus {
        let number = |pointer: &str| seen.pointer(pointer).and_then(Value::as_i64);
        let status = |name: &str| number(&format!("/status/{name}")).unwrap_or(0);
        if status("observedGeneration") < number("/metadata/generation").unwrap_or(i64::MAX) {
            return RolloutStatus::Going("the cluster has not seen the restart yet".to_owned());
        }
        let wanted = number("/spec/replicas").unwrap_or(1);
        let (new, all, good) = match self.kind {
            WorkloadKind::Deployment => {
                if let Some(why) = exceeded(seen) {
                    return RolloutStatus::Failed(why);
                }
                // Old pods that still exist may serve with the old key.
                let left = status("replicas") - status("updatedReplicas");
                if status("updatedReplicas") >= wanted && left > 0 {
                    return RolloutStatus::Going(format!("{left} old pods still exist"));
                }
                (
                    status("updatedReplicas"),
                    wanted,
                    status("availableReplicas"),
                )
            }
            WorkloadKind::StatefulSet => {
                let revision = |name: &str| seen.pointer(&format!("/status/{name}"));
                // The number of updated pods means nothing once the revision is current.
                let new = if revision("currentRevision") == revision("updateRevision") {
                    wanted
                } else {
                    status("updatedReplicas").min(wanted - 1)
                };
                (new, wanted, status("readyReplicas"))
            }
            WorkloadKind::DaemonSet => (
                status("updatedNumberScheduled"),
                status("desiredNumberScheduled"),
                status("numberAvailable"),
            ),
        };
        if new < all {
            return RolloutStatus::Going(format!("{new} of {all} pods were restarted"));
        }
        if good < all {
            return RolloutStatus::Going(format!("{good} of {all} pods are ready"));
        }
        RolloutStatus::Over
    }
}

/// How far a rollout is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RolloutStatus {
    /// Complete.
    Over,
    /// In progress, and how far it is.
    Going(String),
    /// The cluster has given up.
    Failed(String),
}

/// Why the cluster has given up on a Deployment.
fn exceeded(seen: &Value) -> Option<String> {
    let conditions = seen.pointer("/status/conditions")?.as_array()?;
    let text = |condition: &Value, name: &str| Some(condition.get(name)?.as_str()?.to_owned());
    conditions.iter().find_map(|condition| {
        let is = |name: &str, value: &str| text(condition, name).as_deref() == Some(value);
        (is("type", "Progressing") && is("reason", "ProgressDeadlineExceeded"))
            .then(|| text(condition, "message").unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{RolloutStatus, Workload};

    /// A workload, its state, and the start of the sentence that says what it waits for.
    fn rollouts() -> [(&'static str, Value, &'static str); 10] {
        let deployment = |status: Value| json!({"spec": {"replicas": 2}, "status": status});
        let stateful = |status: Value| json!({"spec": {"replicas": 2}, "status": status});
        [
            (
                "deployment/x",
                deployment(json!({})),
                "0 of 2 pods were restarted",
            ),
            (
                "deployment/x",
                deployment(json!({"replicas": 3, "updatedReplicas": 2, "availableReplicas": 3})),
                "1 old pods",
            ),
            (
                "deployment/x",
                deployment(json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 1})),
                "1 of 2 pods are ready",
            ),
            (
                "deployment/x",
                deployment(json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2})),
                "",
            ),
            (
                "deployment/x",
                json!({"spec": {"replicas": 0}, "status": {}}),
                "",
            ),
            (
                "statefulset/x",
                stateful(json!({
                    "readyReplicas": 2, "updatedReplicas": 1,
                    "currentRevision": "a", "updateRevision": "b",
                })),
                "1 of 2 pods were restarted",
            ),
            (
                "statefulset/x",
                stateful(json!({
                    "readyReplicas": 1, "currentRevision": "b", "updateRevision": "b",
                })),
                "1 of 2 pods are ready",
            ),
            (
                "statefulset/x",
                stateful(json!({
                    "readyReplicas": 2, "currentRevision": "b", "updateRevision": "b",
                })),
                "",
            ),
            (
                "daemonset/x",
                json!({"status": {"desiredNumberScheduled": 3, "updatedNumberScheduled": 1}}),
                "1 of 3 pods were restarted",
            ),
            (
                "daemonset/x",
                json!({"status": {
                    "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1,
                }}),
                "",
            ),
        ]
    }

    #[test]
    fn when_a_rollout_is_over() {
        for (name, mut seen, expected) in rollouts() {
            let workload: Workload = name.parse().unwrap();
            seen["metadata"] = json!({"generation": 4});
            seen["status"]["observedGeneration"] = json!(3);
            let early = workload.rollout(&seen);
            assert!(
                matches!(&early, RolloutStatus::Going(why) if why.contains("not seen")),
                "{early:?}"
            );
            seen["status"]["observedGeneration"] = json!(4);
            match workload.rollout(&seen) {
                RolloutStatus::Over => assert_eq!(expected, "", "{seen}"),
                RolloutStatus::Going(why) => {
                    assert!(!expected.is_empty() && why.starts_with(expected), "{why}")
                }
                RolloutStatus::Failed(why) => panic!("{seen}: {why}"),
            }
        }
    }

    #[test]
    fn what_does_not_restart() {
        let workload: Workload = "daemonset/x".parse().unwrap();
        for (seen, good) in [
            (
                json!({"spec": {"updateStrategy": {"type": "RollingUpdate"}}}),
                true,
            ),
            (
                json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
                false,
            ),
            (json!({"spec": {"paused": true}}), false),
            (
                json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}),
                false,
            ),
        ] {
            assert_eq!(workload.check(&seen).is_ok(), good, "{seen}");
        }
        let deployment: Workload = "deployment/x".parse().unwrap();
        let failed = json!({
            "metadata": {"generation": 1},
            "status": {"observedGeneration": 1, "conditions": [{
                "type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "stuck",
            }]},
        });
        assert_eq!(
            deployment.rollout(&failed),
            RolloutStatus::Failed("stuck".to_owned())
        );
        for text in [
            "x",
            "pod/x",
            "deployment/",
            "deployment/X",
            "deployment/a/b",
        ] {
            assert!(text.parse::<Workload>().is_err(), "{text}");
        }
    }
}
