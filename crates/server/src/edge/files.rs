//! The limit of open files and sockets of the process.

use keywright_base::limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files as far as it is wanted and allowed; returns the new limit.
pub(super) fn raise_limit() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let unlimited = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let (soft, hard) = (unlimited(before.current), unlimited(before.maximum));
    let wanted = limits::FILES_WANTED.min(hard);
    let raised = soft < wanted && {
        let limit = Rlimit {
            current: Some(wanted),
            ..before
        };
        setrlimit(Resource::Nofile, limit).is_ok()
    };
    let now = if raised { wanted } else { soft };
    tracing::info!(before = soft, now, "limit of open files");
    now
}

#[cfg(test)]
mod tests {
    use keywright_base::limits;
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_limit_is_raised_as_far_as_allowed() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let now = super::raise_limit();
        assert!(now >= limits::FILES_WANTED.min(hard));
        assert!(
            getrlimit(Resource::Nofile)
                .current
                .is_none_or(|soft| soft >= now)
        );
    }
}
