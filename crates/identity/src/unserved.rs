//! Why an operation of IAM, STS or Organizations is not served: the text after `NotImplemented`,
//! and a column of docs/coverage.md. A test demands a reason for every operation that is not
//! served, and for no other.

/// A reason, and the operations that it holds for.
struct Unserved {
    reason: &'static str,
    operations: &'static [&'static str],
}

const UNSERVED: &[Unserved] = &[
    Unserved {
        reason: "Root credentials of member accounts are not managed centrally; they have none",
        operations: &[
            "AssumeRoot",
            "DisableOrganizationsRootCredentialsManagement",
            "DisableOrganizationsRootSessions",
            "EnableOrganizationsRootCredentialsManagement",
            "EnableOrganizationsRootSessions",
            "ListOrganizationsFeatures",
        ],
    },
    Unserved {
        reason: "The last use of each service is not recorded, so there is nothing to report",
        operations: &[
            "GenerateOrganizationsAccessReport",
            "GetOrganizationsAccessReport",
        ],
    },
    Unserved {
        reason: "Accounts are created in their organization; existing ones cannot be invited yet",
        operations: &[
            "AcceptHandshake",
            "CancelHandshake",
            "DeclineHandshake",
            "DescribeHandshake",
            "InviteAccountToOrganization",
            "ListHandshakesForAccount",
            "ListHandshakesForOrganization",
        ],
    },
    Unserved {
        reason: "Only the management account ends a membership (RemoveAccountFromOrganization)",
        operations: &["LeaveOrganization"],
    },
    Unserved {
        reason: "Every organization has all features from the beginning",
        operations: &["EnableAllFeatures"],
    },
    Unserved {
        reason: "There are no delegated administrators: only the management account manages an \
                 organization",
        operations: &[
            "DeleteResourcePolicy",
            "DeregisterDelegatedAdministrator",
            "DescribeResourcePolicy",
            "ListDelegatedAdministrators",
            "ListDelegatedServicesForAccount",
            "PutResourcePolicy",
            "RegisterDelegatedAdministrator",
        ],
    },
    Unserved {
        reason: "No service of AWS that would work with an organization is here",
        operations: &[
            "DisableAWSServiceAccess",
            "EnableAWSServiceAccess",
            "ListAWSServiceAccessForOrganization",
        ],
    },
    Unserved {
        reason: "Only service control policies and resource control policies are evaluated, and \
                 they have no effective policy",
        operations: &[
            "DescribeEffectivePolicy",
            "ListAccountsWithInvalidEffectivePolicy",
            "ListEffectivePolicyValidationErrors",
        ],
    },
    Unserved {
        reason: "AWS GovCloud has no counterpart here",
        operations: &["CreateGovCloudAccount"],
    },
    Unserved {
        reason: "Nothing is billed, so no responsibility for bills can be transferred",
        operations: &[
            "DescribeResponsibilityTransfer",
            "InviteOrganizationToTransferResponsibility",
            "ListInboundResponsibilityTransfers",
            "ListOutboundResponsibilityTransfers",
            "TerminateResponsibilityTransfer",
            "UpdateResponsibilityTransfer",
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
