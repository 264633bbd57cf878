//! The errors of Organizations. Their texts are those that AWS's command line shows; where none is
//! known, the sentence of the API reference.

use keywright_base::WireError;
use keywright_wire::InvalidMember;

/// Why an operation of Organizations fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationsFault {
    /// The caller's account is already in an organization.
    AlreadyInOrganization,
    /// The caller's account is in no organization.
    NotInUse,
    /// The caller's account does not manage its organization.
    NotManagement,
    /// There is no such account in the organization.
    AccountNotFound,
    /// The account is closed already.
    AccountAlreadyClosed,
    /// The account is already where it should be moved.
    DuplicateAccount,
    /// There is no such unit or account.
    ChildNotFound,
    /// There is no such root or unit.
    ParentNotFound,
    /// There is no such root.
    RootNotFound,
    /// The account is not in this root or unit.
    SourceParentNotFound,
    /// There is no such root or unit to move an account to.
    DestinationParentNotFound,
    /// There is no such unit.
    UnitNotFound,
    /// A unit of this name exists in the same parent.
    DuplicateUnit,
    /// The unit contains accounts or units.
    UnitNotEmpty,
    /// The organization contains other accounts.
    OrganizationNotEmpty,
    /// The management account cannot leave.
    MasterCannotLeave,
    /// There is no such policy.
    PolicyNotFound,
    /// A policy of this name exists.
    DuplicatePolicy,
    /// The policy is attached.
    PolicyInUse,
    /// The policy is attached to this target already.
    DuplicateAttachment,
    /// The policy is not attached to this target.
    PolicyNotAttached,
    /// The policy type is enabled already.
    PolicyTypeAlreadyEnabled,
    /// The policy type is not enabled.
    PolicyTypeNotEnabled,
    /// The policy type is not served here.
    PolicyTypeNotAvailable,
    /// The policy is not one of its type; the text says why.
    MalformedPolicy(String),
    /// There is no such target.
    TargetNotFound,
    /// There is no such request for an account.
    CreationNotFound,
    /// A rule of organizations is violated.
    Constraint(ConstraintReason),
    /// An input is not valid in its context.
    Input(InputReason),
    /// An input violates the model.
    InvalidMember(InvalidMember),
}

/// The `Reason` of `ConstraintViolationException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintReason {
    /// Too many accounts.
    AccountNumber,
    /// Too many organizational units.
    UnitNumber,
    /// Too many levels of organizational units.
    UnitDepth,
    /// Too many policies of a type.
    PolicyNumber,
    /// A policy is too long.
    PolicyContent,
    /// Too many policies of a type at one place.
    MaxAttachments,
    /// The last service control policy of a place.
    MinAttachments,
    /// The management account cannot be closed.
    CloseManagement,
    /// A closed account cannot leave.
    CannotLeave,
    /// The account does not exist yet.
    CreationNotComplete,
    /// Too many tags.
    Tags,
}

/// The `Reason` of `InvalidInputException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputReason {
    /// A policy of AWS.
    ImmutablePolicy,
    /// A policy that is attached everywhere.
    NonDetachablePolicy,
    /// A marker of another listing.
    NextToken,
    /// Reserved tags.
    SystemTags,
    /// The same tag key twice.
    DuplicateTagKey,
    /// A role name that is none.
    RoleName,
    /// A target that this operation does not apply to.
    TargetNotSupported,
    /// A feature set that is not served.
    FeatureSet,
}

impl OrganizationsFault {
    /// Code and text.
    #[expect(
        clippy::too_many_lines,
        reason = "one text for each fault: a new one does not compile without one"
    )]
    pub(super) fn wire(&self) -> WireError {
        let e = |code: &'static str, text: &'static str| WireError::new(400, code, text);
        match self {
            Self::AlreadyInOrganization => e(
                "AlreadyInOrganizationException",
                "The AWS account is already a member of an organization.",
            ),
            Self::NotInUse => e(
                "AWSOrganizationsNotInUseException",
                "Your account is not a member of an organization.",
            ),
            Self::NotManagement => e(
                "AccessDeniedException",
                "You don't have permissions to access this resource.",
            ),
            Self::AccountNotFound => e(
                "AccountNotFoundException",
                "You specified an account that doesn't exist.",
            ),
            Self::AccountAlreadyClosed => e(
                "AccountAlreadyClosedException",
                "The provided account is already closed.",
            ),
            Self::DuplicateAccount => e(
                "DuplicateAccountException",
                "You specified an account that's already present in the specified destination.",
            ),
            Self::ChildNotFound => e(
                "ChildNotFoundException",
                "You specified child that doesn't exist.",
            ),
            Self::ParentNotFound => e(
                "ParentNotFoundException",
                "You specified parent that doesn't exist.",
            ),
            Self::RootNotFound => e(
                "RootNotFoundException",
                "You specified a root that doesn't exist.",
            ),
            Self::SourceParentNotFound => e(
                "SourceParentNotFoundException",
                "You specified a source parent that doesn't exist or doesn't contain the account.",
            ),
            Self::DestinationParentNotFound => e(
                "DestinationParentNotFoundException",
                "You specified a destination parent that doesn't exist.",
            ),
            Self::UnitNotFound => e(
                "OrganizationalUnitNotFoundException",
                "You specified an organizational unit that doesn't exist.",
            ),
            Self::DuplicateUnit => e(
                "DuplicateOrganizationalUnitException",
                "An OU with the same name already exists.",
            ),
            Self::UnitNotEmpty => e(
                "OrganizationalUnitNotEmptyException",
                "The specified OU is not empty. Move all accounts to another root or to other \
                 OUs, remove all child OUs, and try the operation again.",
            ),
            Self::OrganizationNotEmpty => e(
                "OrganizationNotEmptyException",
                "The organization isn't empty. To delete an organization, you must first remove \
                 all accounts except the management account.",
            ),
            Self::MasterCannotLeave => e(
                "MasterCannotLeaveOrganizationException",
                "You can't remove a management account from an organization.",
            ),
            Self::PolicyNotFound => e(
                "PolicyNotFoundException",
                "You specified a policy that doesn't exist.",
            ),
            Self::DuplicatePolicy => e(
                "DuplicatePolicyException",
                "A policy with the same name already exists.",
            ),
            Self::PolicyInUse => e(
                "PolicyInUseException",
                "This policy is in use. You must first detach it from all roots, OUs and accounts.",
            ),
            Self::DuplicateAttachment => e(
                "DuplicatePolicyAttachmentException",
                "The selected policy is already attached to the specified target.",
            ),
            Self::PolicyNotAttached => e(
                "PolicyNotAttachedException",
                "The policy isn't attached to the specified target in the specified root.",
            ),
            Self::PolicyTypeAlreadyEnabled => e(
                "PolicyTypeAlreadyEnabledException",
                "The specified policy type is already enabled.",
            ),
            Self::PolicyTypeNotEnabled => e(
                "PolicyTypeNotEnabledException",
                "This operation can be performed only for enabled policy types.",
            ),
            Self::PolicyTypeNotAvailable => e(
                "PolicyTypeNotAvailableForOrganizationException",
                "Keywright evaluates only service control policies and resource control policies.",
            ),
            Self::MalformedPolicy(why) => WireError::new(
                400,
                "MalformedPolicyDocumentException",
                format!(
                    "The provided policy document does not meet the requirements of the specified \
                     policy type. {why}"
                ),
            ),
            Self::TargetNotFound => e(
                "TargetNotFoundException",
                "You specified a target that doesn't exist.",
            ),
            Self::CreationNotFound => e(
                "CreateAccountStatusNotFoundException",
                "We can't find a create account request with the CreateAccountRequestId that you \
                 specified.",
            ),
            Self::Constraint(reason) => {
                let (reason, text) = reason.wire();
                e("ConstraintViolationException", text).with("Reason", reason)
            }
            Self::Input(reason) => {
                let (reason, text) = reason.wire();
                e("InvalidInputException", text).with("Reason", reason)
            }
            Self::InvalidMember(member) => {
                e("InvalidInputException", member.text()).with("Reason", member.reason())
            }
        }
    }
}

impl ConstraintReason {
    const fn wire(self) -> (&'static str, &'static str) {
        match self {
            Self::AccountNumber => (
                "ACCOUNT_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the allowed number of AWS accounts.",
            ),
            Self::UnitNumber => (
                "OU_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the number of OUs that you can have in an organization.",
            ),
            Self::UnitDepth => (
                "OU_DEPTH_LIMIT_EXCEEDED",
                "You have exceeded the maximum depth of OUs.",
            ),
            Self::PolicyNumber => (
                "POLICY_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the number of policies that you can have in an organization.",
            ),
            Self::PolicyContent => (
                "POLICY_CONTENT_LIMIT_EXCEEDED",
                "You have exceeded the maximum policy size.",
            ),
            Self::MaxAttachments => (
                "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                "You have exceeded the number of policies of this type that you can attach.",
            ),
            Self::MinAttachments => (
                "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                "You cannot remove the last policy attached to the specified target. You should \
                 have at least one at any time.",
            ),
            Self::CloseManagement => (
                "CANNOT_CLOSE_MANAGEMENT_ACCOUNT",
                "You cannot close the management account.",
            ),
            Self::CannotLeave => (
                "ACCOUNT_CANNOT_LEAVE_ORGANIZATION",
                "You can't remove a closed account from an organization.",
            ),
            Self::CreationNotComplete => (
                "ACCOUNT_CREATION_NOT_COMPLETE",
                "Your account setup isn't complete or your account isn't fully active.",
            ),
            Self::Tags => (
                "MAX_TAG_LIMIT_EXCEEDED",
                "You have exceeded the number of tags allowed on this resource.",
            ),
        }
    }
}

impl InputReason {
    const fn wire(self) -> (&'static str, &'static str) {
        match self {
            Self::ImmutablePolicy => (
                "IMMUTABLE_POLICY",
                "You specified a policy that is managed by AWS and can't be modified.",
            ),
            Self::NonDetachablePolicy => (
                "NON_DETACHABLE_POLICY",
                "You can't detach the policy RCPFullAWSAccess.",
            ),
            Self::NextToken => ("INVALID_NEXT_TOKEN", "You specified an invalid NextToken."),
            Self::SystemTags => (
                "INVALID_SYSTEM_TAGS_PARAMETER",
                "You specified a tag key that is a system tag. You can't add, edit, or delete \
                 system tag keys because they're reserved for AWS use.",
            ),
            Self::DuplicateTagKey => (
                "DUPLICATE_TAG_KEY",
                "Tag keys must be unique among the tags attached to the same entity.",
            ),
            Self::RoleName => (
                "INVALID_ROLE_NAME",
                "You provided a role name that isn't valid.",
            ),
            Self::TargetNotSupported => (
                "TARGET_NOT_SUPPORTED",
                "You can't perform the specified operation on that target entity.",
            ),
            Self::FeatureSet => (
                "INVALID_ENUM",
                "Keywright organizations have all features; there is no consolidated billing.",
            ),
        }
    }
}
