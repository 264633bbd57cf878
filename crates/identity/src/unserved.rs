//! Why an operation of IAM or STS is not served: the text after `NotImplemented`, and a column of
//! docs/coverage.md. A test demands a reason for every operation that is not served, and for no
//! other.

/// A reason, and the operations that it holds for.
struct Unserved {
    reason: &'static str,
    operations: &'static [&'static str],
}

const UNSERVED: &[Unserved] = &[
    Unserved {
        reason: "Keywright has no organizations",
        operations: &[
            "AssumeRoot",
            "DisableOrganizationsRootCredentialsManagement",
            "DisableOrganizationsRootSessions",
            "EnableOrganizationsRootCredentialsManagement",
            "EnableOrganizationsRootSessions",
            "GenerateOrganizationsAccessReport",
            "GetOrganizationsAccessReport",
            "ListOrganizationsFeatures",
        ],
    },
    Unserved {
        reason: "Temporary delegation to AWS partners needs AWS's own approval pages",
        operations: &[
            "AcceptDelegationRequest",
            "AssociateDelegationRequest",
            "CreateDelegationRequest",
            "GetDelegatedAccessToken",
            "GetDelegationRequest",
            "GetHumanReadableSummary",
            "ListDelegationRequests",
            "RejectDelegationRequest",
            "SendDelegationToken",
            "UpdateDelegationRequest",
        ],
    },
    Unserved {
        reason: "Role templates are published by AWS only",
        operations: &["AcquireRole", "GetRoleTemplateVersion"],
    },
    Unserved {
        reason: "Account properties configure services of AWS that are not here",
        operations: &["GetAccountProperties", "PutAccountProperties"],
    },
    Unserved {
        reason: "Keywright issues no tokens for other services; AWS signs them with RSA too, and \
                 the crypto library in use cannot generate such keys",
        operations: &[
            "DisableOutboundWebIdentityFederation",
            "EnableOutboundWebIdentityFederation",
            "GetOutboundWebIdentityFederationInfo",
            "GetWebIdentityToken",
        ],
    },
    Unserved {
        reason: "Only the last use of each access key, role and password is recorded, not that of \
                 each service",
        operations: &[
            "GenerateServiceLastAccessedDetails",
            "GetServiceLastAccessedDetails",
            "GetServiceLastAccessedDetailsWithEntities",
        ],
    },
    Unserved {
        reason: "AWS encodes the denials of EC2 and other services that are not here; \
                 ExplainDeniedRequest of the service keywright explains denials",
        operations: &["DecodeAuthorizationMessage"],
    },
];

/// Why an operation is not served.
pub fn unserved_reason(operation: &str) -> Option<&'static str> {
    let mut rows = UNSERVED.iter();
    let row = rows.find(|row| row.operations.contains(&operation))?;
    Some(row.reason)
}

/// The operations that have a reason, in the order of the table.
#[cfg(test)]
pub(crate) fn unserved_operations() -> impl Iterator<Item = &'static str> {
    UNSERVED.iter().flat_map(|row| row.operations).copied()
}
