//! Everything that an IAM or STS action can answer instead of success, and the one place that maps
//! it to status, code and message.
//!
//! It protects one rule: message texts are wire format. Each variant carries what a human needs;
//! the texts are AWS's own, golden in the tests beside this file. Faults of authentication are in
//! [`crate::authenticate`], those of decoding come from the `wire` crate; both end up here.

mod organizations;
mod upload;

use keywright_base::{AccountId, WireError};
use keywright_wire::{Protocol, Service};

pub use self::{
    organizations::{ConstraintReason, InputReason, OrganizationsFault},
    upload::UploadFault,
};
use crate::{saml::AssertionRejection, unserved::unserved_reason, web_identity::TokenRejection};

/// Why an action was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IamFault {
    /// Something named does not exist.
    NoSuchEntity(MissingEntity),
    /// A name is taken.
    EntityAlreadyExists(ExistingEntity),
    /// A quota is reached.
    LimitExceeded(ReachedQuota),
    /// Something still depends on what should be deleted.
    DeleteConflict(DeleteBlocker),
    /// A value that AWS refuses after authorization.
    InvalidInput(InvalidInput),
    /// `ValidationError` with its whole text.
    Validation(String),
    /// `MalformedInput`: a scalar or list index of the request that cannot be read.
    MalformedInput(String),
    /// An uploaded key or certificate is rejected.
    Upload(UploadFault),
    /// A policy document that is not one; the text names the first violation.
    MalformedPolicyDocument(String),
    /// A parameter that STS refuses; the whole text.
    InvalidParameterValue(String),
    /// Session policies or tags that are too large; the whole text.
    PackedPolicyTooLarge(String),
    /// An entity that only AWS's own services may change; the whole text.
    UnmodifiableEntity(String),
    /// The caller may not do this; the whole text.
    AccessDenied(String),
    /// An operation of Organizations fails.
    Organizations(OrganizationsFault),
    /// The token of a web identity is not accepted.
    WebIdentity(TokenRejection),
    /// The assertion of a SAML provider is not accepted.
    Assertion(AssertionRejection),
    /// A policy that only AWS's own services may have attached; the kind of whom it was for.
    PolicyNotAttachable(&'static str),
    /// The new password does not keep the account's rules.
    PasswordPolicyViolation(String),
    /// The user's login profile changed while the request was carried out.
    LoginProfileInMotion(String),
    /// The account changed while the request was carried out.
    ConcurrentModification,
    /// The action is for IAM users only.
    InvalidUserType(String),
    /// A code of an MFA device is wrong, was used before, or came after too many others.
    InvalidAuthenticationCode,
    /// The caller tries too often.
    Throttled,
    /// No credential report was ever made.
    ReportNotPresent,
    /// The last credential report is older than four hours.
    ReportExpired,
    /// The access key that signed the request, or its session, was revoked while it waited.
    Revoked,
    /// No such operation in this API version.
    InvalidAction {
        /// The `Action` parameter, as given.
        action: String,
        /// The `Version` parameter, as given.
        version: String,
    },
    /// No `Action` parameter.
    MissingAction,
    /// An operation of the model that this server does not serve yet.
    NotServed(&'static str),
    /// Our own failure. The text is for the log, never for the wire.
    Internal(String),
}

/// What does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingEntity {
    /// A user, by the name given.
    User(String),
    /// A group, by the name given.
    Group(String),
    /// A role, by the name given.
    Role(String),
    /// The deletion of a service-linked role, by the task id given.
    DeletionTask(String),
    /// An instance profile, by the name given.
    InstanceProfile(String),
    /// A role in an instance profile, by the names given.
    RoleInProfile(String, String),
    /// An OpenID Connect provider, by the ARN given.
    OpenIdProvider(String),
    /// An OpenID Connect provider to be deleted, by the ARN given.
    OpenIdProviderToDelete(String),
    /// An access key of the user, by the id given.
    AccessKey(String),
    /// The login profile of a user.
    LoginProfile(String),
    /// An inline policy of a user.
    UserPolicy(String),
    /// An inline policy of a group.
    GroupPolicy(String),
    /// An inline policy of a role.
    RolePolicy(String),
    /// A managed policy by the ARN given, for reading, deleting, tagging and detaching.
    Policy(String),
    /// A managed policy by the ARN given, for attaching and listing entities.
    AttachablePolicy(String),
    /// A version of a managed policy, or the policy itself where a version was asked for: the ARN
    /// and the version given.
    PolicyVersion(String, String),
    /// A managed policy by the ARN given, as a permissions boundary.
    Boundary(String),
    /// The permissions boundary of a user, for deletion.
    UserBoundary(String),
    /// The permissions boundary of a role, for deletion.
    RoleBoundary(String),
    /// The account's password policy, when reading it.
    PasswordPolicy(AccountId),
    /// The account's password policy, when deleting it.
    PasswordPolicyToDelete,
    /// The account's alias.
    AccountAlias(String),
    /// An MFA device, by the serial number given: there is none, or it is somebody else's.
    MfaDevice(String),
    /// An SSH public key of the user, by the id given.
    SshPublicKey(String),
    /// A signing certificate of the user, by the id given.
    SigningCertificate(String),
    /// A server certificate, by the name given.
    ServerCertificate(String),
    /// A service-specific credential of the user, by the id given.
    ServiceCredential(String),
    /// A service with credentials of its own, by the name given.
    CredentialService(String),
    /// A SAML provider, by the ARN given.
    SamlProvider(String),
    /// A private key of a SAML provider, by the id given.
    SamlPrivateKey(String),
    /// A user, group or role whose access is listed, by the ARN given.
    AccessedEntity(String),
    /// The user, group or role whose policies a simulation is about.
    Simulated,
    /// A denied request, by the id given: forgotten, or never denied.
    DeniedRequest(String),
    /// A rotation, by the user's name: none, none that is open, or none of the id given.
    Rotation(String),
    /// A rotation policy, by name.
    RotationPolicy(String),
}

/// What exists already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExistingEntity {
    /// A user name.
    User(String),
    /// A group name.
    Group(String),
    /// A role name.
    Role(String),
    /// An instance profile's name.
    InstanceProfile(String),
    /// An OpenID Connect provider's URL.
    OpenIdProvider(String),
    /// A managed policy's name.
    Policy(String),
    /// A server certificate's name.
    ServerCertificate(String),
    /// A SAML provider's name.
    SamlProvider(String),
    /// A user's login profile.
    LoginProfile(String),
    /// The account alias of another account.
    AccountAlias(String),
    /// The path and name of a virtual MFA device.
    MfaDevice,
    /// A virtual MFA device that is assigned.
    MfaDeviceInUse,
    /// A user who is being rotated; the whole text.
    Rotation(String),
}

/// Which quota is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReachedQuota {
    /// A quota that AWS names, with its value, for example `AccessKeysPerUser` and 2.
    Named(&'static str, usize),
    /// Versions of a managed policy.
    PolicyVersions,
    /// Tags of an entity.
    Tags,
    /// Size of all inline policies of an entity: bytes, `user` or `group`, and its name.
    InlinePolicies(usize, &'static str, String),
    /// A rotation needs room for a second key; the whole text.
    SecondKey(String),
}

/// What keeps something from being deleted. The order is AWS's order of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteBlocker {
    /// A role in an instance profile, of the role or of the profile.
    RoleInProfile,
    /// Attached managed policies.
    AttachedPolicies,
    /// Inline policies.
    InlinePolicies,
    /// Memberships, of a group or of a user.
    Membership,
    /// Access keys.
    AccessKeys,
    /// A login profile.
    LoginProfile,
    /// Signing certificates.
    SigningCertificates,
    /// An MFA device.
    MfaDevice,
    /// SSH public keys or service-specific credentials.
    ReferencedObjects,
    /// The virtual MFA device is assigned.
    MfaDeviceAssigned,
    /// A managed policy is attached.
    PolicyAttached,
    /// A managed policy has other versions.
    PolicyVersions,
    /// The version is the default.
    DefaultVersion,
}

/// A refused value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidInput {
    /// Tag keys that differ in case only, or not at all (users).
    DuplicateTagKeysAnyCase,
    /// The same tag key twice (policies).
    DuplicateTagKeys,
    /// A tag key that begins with `aws:`.
    ReservedTagKey,
    /// An empty list of tags.
    NoTags,
    /// An ARN that is not one of a managed policy.
    Arn(String),
    /// Any other text.
    Other(String),
}

impl IamFault {
    /// Status, code and message as AWS sends them.
    pub fn wire(&self) -> WireError {
        let e = |status, code, text: String| WireError::new(status, code, text);
        match self {
            Self::NoSuchEntity(missing) => e(404, "NoSuchEntity", missing.text()),
            Self::EntityAlreadyExists(taken) => e(409, "EntityAlreadyExists", taken.text()),
            Self::LimitExceeded(quota) => e(409, "LimitExceeded", quota.text()),
            Self::DeleteConflict(dependant) => {
                e(409, "DeleteConflict", dependant.text().to_owned())
            }
            Self::InvalidInput(invalid) => e(400, "InvalidInput", invalid.text()),
            Self::Validation(text) => e(400, "ValidationError", text.clone()),
            Self::MalformedInput(text) => e(400, "MalformedInput", text.clone()),
            Self::Upload(fault) => fault.wire(),
            Self::MalformedPolicyDocument(text) => e(400, "MalformedPolicyDocument", text.clone()),
            Self::InvalidParameterValue(text) => e(400, "InvalidParameterValue", text.clone()),
            Self::PackedPolicyTooLarge(text) => e(400, "PackedPolicyTooLarge", text.clone()),
            Self::UnmodifiableEntity(text) => e(400, "UnmodifiableEntity", text.clone()),
            Self::AccessDenied(text) => e(403, "AccessDenied", text.clone()),
            Self::Organizations(fault) => fault.wire(),
            Self::WebIdentity(rejection) => rejection.wire(),
            Self::Assertion(rejection) => rejection.wire(),
            Self::PolicyNotAttachable(kind) => {
                let text = format!("Cannot attach a Service Role Policy to a customer {kind}.");
                e(400, "PolicyNotAttachable", text)
            }
            Self::PasswordPolicyViolation(text) => e(400, "PasswordPolicyViolation", text.clone()),
            Self::LoginProfileInMotion(user) => e(
                409,
                "EntityTemporarilyUnmodifiable",
                format!(
                    "Login Profile for User {user} cannot be modified while login profile is \
                     being created."
                ),
            ),
            Self::ConcurrentModification => {
                let text = "The request was rejected because multiple requests to change this \
                            object were submitted simultaneously. Wait a few minutes and submit \
                            your request again.";
                e(409, "ConcurrentModification", text.to_owned())
            }
            Self::InvalidUserType(text) => e(400, "InvalidUserType", text.clone()),
            Self::InvalidAuthenticationCode => e(
                403,
                "InvalidAuthenticationCode",
                "Authentication code for device is not valid.".to_owned(),
            ),
            Self::ReportNotPresent => WireError::silent(410, "ReportNotPresent"),
            Self::ReportExpired => WireError::silent(410, "ReportExpired"),
            Self::Revoked => {
                let text = "The security token included in the request is invalid.";
                e(403, "InvalidClientTokenId", text.to_owned())
            }
            Self::Throttled => e(400, "Throttling", "Rate exceeded".to_owned()),
            Self::InvalidAction { action, version } => {
                let text = format!("Could not find operation {action} for version {version}");
                e(400, "InvalidAction", text)
            }
            Self::MissingAction => e(
                400,
                "MissingAction",
                "Action parameter is required".to_owned(),
            ),
            Self::NotServed(operation) => {
                let reason = unserved_reason(operation).unwrap_or("it is unknown here");
                let text =
                    format!("The operation {operation} is not served by Keywright: {reason}");
                e(501, "NotImplemented", text)
            }
            Self::Internal(_) => e(500, "ServiceFailure", FAILURE.to_owned()),
        }
    }
}

impl IamFault {
    /// The error as clients of this service see it.
    pub fn wire_of(&self, service: Service) -> WireError {
        match service.protocol() {
            Protocol::Query => self.wire(),
            Protocol::Json => self.json_wire(),
        }
    }

    /// In JSON, the faults that all operations share have other names.
    fn json_wire(&self) -> WireError {
        let e = |code, text: &str| WireError::new(400, code, text.to_owned());
        match self {
            Self::AccessDenied(text) => e("AccessDeniedException", text),
            Self::Validation(text) => e("InvalidInputException", text),
            Self::MalformedInput(text) => e("SerializationException", text),
            Self::Revoked => e(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            Self::Throttled => e(
                "TooManyRequestsException",
                "You have sent too many requests in too short a period of time.",
            ),
            Self::InvalidAction { .. } | Self::MissingAction => {
                WireError::silent(400, "UnknownOperationException")
            }
            Self::Internal(_) => WireError::new(500, "ServiceException", FAILURE),
            _ => self.wire(),
        }
    }
}

const FAILURE: &str =
    "The request processing has failed because of an unknown error, exception or failure.";

impl MissingEntity {
    #[expect(
        clippy::too_many_lines,
        reason = "one text for each kind of entity: a new kind does not compile without one"
    )]
    fn text(&self) -> String {
        match self {
            Self::User(name) => format!("The user with name {name} cannot be found."),
            Self::Group(name) => format!("The group with name {name} cannot be found."),
            Self::Role(name) => format!("The role with name {name} cannot be found."),
            Self::DeletionTask(id) => format!("The deletion task with id {id} cannot be found."),
            Self::InstanceProfile(name) => format!("Instance Profile {name} cannot be found."),
            Self::RoleInProfile(role, profile) => {
                format!("Role {role} in Instance Profile {profile} cannot be found.")
            }
            Self::OpenIdProvider(arn) => {
                format!("OpenIDConnect Provider not found for arn {arn}")
            }
            Self::OpenIdProviderToDelete(arn) => {
                format!("OpenId connect Provider {arn} cannot be found.")
            }
            Self::AccessKey(id) => format!("The Access Key with id {id} cannot be found."),
            Self::LoginProfile(user) => format!("Login Profile for User {user} cannot be found."),
            Self::UserPolicy(name) => format!("The user policy with name {name} cannot be found."),
            Self::GroupPolicy(name) => {
                format!("The group policy with name {name} cannot be found.")
            }
            Self::RolePolicy(name) => format!("The role policy with name {name} cannot be found."),
            Self::Policy(arn) => format!("Policy {arn} was not found."),
            Self::AttachablePolicy(arn) => {
                format!("Policy {arn} does not exist or is not attachable.")
            }
            Self::PolicyVersion(arn, version) => {
                format!("Policy {arn} version {version} does not exist or is not attachable.")
            }
            Self::Boundary(arn) => {
                format!("Scope ARN: {arn} does not exist or is not attachable.")
            }
            Self::UserBoundary(user) => {
                format!("The permissions boundary of user {user} cannot be found.")
            }
            Self::RoleBoundary(role) => {
                format!("The permissions boundary of role {role} cannot be found.")
            }
            Self::PasswordPolicy(account) => {
                format!("The Password Policy with domain name {account} cannot be found.")
            }
            Self::PasswordPolicyToDelete => {
                "The account policy with name PasswordPolicy cannot be found.".to_owned()
            }
            Self::AccountAlias(alias) => {
                format!("The account alias with name {alias} cannot be found.")
            }
            Self::MfaDevice(serial) => {
                format!("MFA Device with serial number {serial} does not exist.")
            }
            Self::SshPublicKey(id) => format!("The Public Key with id {id} cannot be found."),
            Self::SigningCertificate(id) => {
                format!("The Certificate with id {id} cannot be found.")
            }
            Self::ServerCertificate(name) => {
                format!("The Server Certificate with name {name} cannot be found.")
            }
            Self::ServiceCredential(id) => format!("No such credential {id} exists"),
            Self::CredentialService(service) => {
                format!("No such service {service} is supported for Service Specific Credentials")
            }
            Self::SamlProvider(arn) => format!("Manifest not found for arn {arn}"),
            Self::SamlPrivateKey(id) => format!("The private key with id {id} cannot be found."),
            Self::AccessedEntity(arn) => format!("ARN {arn} was not found."),
            Self::DeniedRequest(id) => format!("The denied request with id {id} cannot be found."),
            Self::Rotation(user) => format!("There is no rotation of user {user}."),
            Self::RotationPolicy(name) => {
                format!("The rotation policy with name {name} cannot be found.")
            }
            Self::Simulated => "Unable to retrieve specified IAM entity.".to_owned(),
        }
    }
}

impl ExistingEntity {
    fn text(&self) -> String {
        match self {
            Self::User(name) => format!("User with name {name} already exists."),
            Self::Group(name) => format!("Group with name {name} already exists."),
            Self::Role(name) => format!("Role with name {name} already exists."),
            Self::InstanceProfile(name) => format!("Instance Profile {name} already exists."),
            Self::OpenIdProvider(url) => format!("Provider with url {url} already exists."),
            Self::Policy(name) => {
                format!("A policy called {name} already exists. Duplicate names are not allowed.")
            }
            Self::ServerCertificate(name) => {
                format!("The Server Certificate with name {name} already exists.")
            }
            Self::SamlProvider(name) => format!("Provider with name {name} already exists."),
            Self::LoginProfile(user) => format!("Login Profile for user {user} already exists."),
            Self::AccountAlias(alias) => {
                format!("The account alias {alias} already exists.")
            }
            Self::MfaDevice => "MFA device already exists.".to_owned(),
            Self::MfaDeviceInUse => "MFA Device is already in use.".to_owned(),
            Self::Rotation(text) => text.clone(),
        }
    }
}

impl ReachedQuota {
    fn text(&self) -> String {
        match self {
            Self::Named(name, value) => format!("Cannot exceed quota for {name}: {value}"),
            Self::PolicyVersions => {
                "A managed policy can have up to 5 versions. Before you create \
                a new version, you must delete an existing version."
                    .to_owned()
            }
            Self::Tags => "The number of tags has reached the maximum limit.".to_owned(),
            Self::InlinePolicies(bytes, kind, name) => {
                format!("Maximum policy size of {bytes} bytes exceeded for {kind} {name}")
            }
            Self::SecondKey(text) => text.clone(),
        }
    }
}

impl DeleteBlocker {
    const fn text(self) -> &'static str {
        match self {
            Self::RoleInProfile => {
                "Cannot delete entity, must remove roles from instance profile first."
            }
            Self::AttachedPolicies => "Cannot delete entity, must detach all policies first.",
            Self::InlinePolicies => "Cannot delete entity, must delete policies first.",
            Self::Membership => "Cannot delete entity, must remove users from group first.",
            Self::AccessKeys => "Cannot delete entity, must delete access keys first.",
            Self::LoginProfile => "Cannot delete entity, must delete login profile first.",
            Self::SigningCertificates => {
                "Cannot delete entity, must delete signing certificates first."
            }
            Self::MfaDevice => "Cannot delete entity, must delete MFA device first.",
            Self::ReferencedObjects => {
                "Cannot delete entity, must remove referenced objects first."
            }
            Self::MfaDeviceAssigned => "MFA VirtualDevice in use. Must deactivate first.",
            Self::PolicyAttached => "Cannot delete a policy attached to entities.",
            Self::PolicyVersions => {
                "This policy has more than one version. Before you delete a policy, you must \
                 delete the policy's versions. The default version is deleted with the policy."
            }
            Self::DefaultVersion => "Cannot delete the default version of a policy.",
        }
    }
}

impl InvalidInput {
    fn text(&self) -> String {
        match self {
            Self::DuplicateTagKeysAnyCase => {
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
                    .to_owned()
            }
            Self::DuplicateTagKeys => "Duplicate tag keys found.".to_owned(),
            Self::ReservedTagKey => {
                "Tag keys beginning with aws: are reserved for system use.".to_owned()
            }
            Self::NoTags => "Tags must not be empty.".to_owned(),
            Self::Arn(arn) => format!("ARN {arn} is not valid."),
            Self::Other(text) => text.clone(),
        }
    }
}

impl From<MissingEntity> for IamFault {
    fn from(missing: MissingEntity) -> Self {
        Self::NoSuchEntity(missing)
    }
}

impl From<ExistingEntity> for IamFault {
    fn from(taken: ExistingEntity) -> Self {
        Self::EntityAlreadyExists(taken)
    }
}

impl From<ReachedQuota> for IamFault {
    fn from(quota: ReachedQuota) -> Self {
        Self::LimitExceeded(quota)
    }
}

impl From<DeleteBlocker> for IamFault {
    fn from(dependant: DeleteBlocker) -> Self {
        Self::DeleteConflict(dependant)
    }
}

impl From<OrganizationsFault> for IamFault {
    fn from(fault: OrganizationsFault) -> Self {
        Self::Organizations(fault)
    }
}

impl From<UploadFault> for IamFault {
    fn from(fault: UploadFault) -> Self {
        Self::Upload(fault)
    }
}

impl From<InvalidInput> for IamFault {
    fn from(invalid: InvalidInput) -> Self {
        Self::InvalidInput(invalid)
    }
}
