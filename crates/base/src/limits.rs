//! Every limit of the product. AWS's own quotas carry AWS's names.

/// Accounts in an organization, the management account among them. AWS begins with 10 and raises
/// the quota on request.
pub const ACCOUNTS_PER_ORGANIZATION: usize = 5000;
/// Requests for new accounts whose status is remembered.
pub const ACCOUNT_CREATIONS: usize = 2 * ACCOUNTS_PER_ORGANIZATION;
/// Organizational units in an organization.
pub const UNITS_PER_ORGANIZATION: usize = 2000;
/// Levels of organizational units below the root.
pub const UNIT_DEPTH: usize = 5;
/// Policies of each type in an organization.
pub const POLICIES_PER_ORGANIZATION: usize = 1000;
/// Policies of each type attached to a root, a unit or an account.
pub const ORGANIZATION_POLICIES_PER_TARGET: usize = 5;
/// Size of an organization's policy, in bytes.
pub const ORGANIZATION_POLICY_BYTES: usize = 5120;
/// Users per account (IAM quota `UsersPerAccount`).
pub const USERS_PER_ACCOUNT: usize = 5000;
/// Groups per account.
pub const GROUPS_PER_ACCOUNT: usize = 300;
/// Roles in an account: AWS's default quota.
pub const ROLES_PER_ACCOUNT: usize = 1000;
/// Deletions of service-linked roles whose status is remembered in an account.
pub const DELETION_TASKS_PER_ACCOUNT: usize = 100;
/// Maximum length of a role's name, in characters.
pub const ROLE_NAME_CHARS: usize = 64;
/// Instance profiles in an account: AWS's default quota.
pub const INSTANCE_PROFILES_PER_ACCOUNT: usize = 1000;
/// OpenID Connect providers in an account: AWS's default quota.
pub const OPEN_ID_PROVIDERS_PER_ACCOUNT: usize = 100;
/// Client IDs (audiences) of an OpenID Connect provider.
pub const CLIENT_IDS_PER_PROVIDER: usize = 100;
/// Thumbprints of an OpenID Connect provider.
pub const THUMBPRINTS_PER_PROVIDER: usize = 5;
/// Customer managed policies per account.
pub const POLICIES_PER_ACCOUNT: usize = 1500;
/// Groups that one user can be a member of.
pub const GROUPS_PER_USER: usize = 10;
/// Access keys per user, and of the root user, including inactive ones.
pub const ACCESS_KEYS_PER_USER: usize = 2;
/// SSH public keys of a user, including inactive ones.
pub const SSH_PUBLIC_KEYS_PER_USER: usize = 5;
/// Bits of an RSA key that is uploaded as an SSH public key.
pub const SSH_RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=16_384;
/// X.509 signing certificates of a user, and of the root user, including inactive ones.
pub const SIGNING_CERTIFICATES_PER_USER: usize = 2;
/// Server certificates of an account.
pub const SERVER_CERTIFICATES_PER_ACCOUNT: usize = 20;
/// Size of the chain of a server certificate (PEM), in bytes. Every certificate in it is verified.
pub const CERTIFICATE_CHAIN_BYTES: usize = 64 * 1024;
/// Service-specific credentials of a user for each service, including inactive ones.
pub const SERVICE_CREDENTIALS_PER_SERVICE: usize = 2;
/// SAML providers of an account.
pub const SAML_PROVIDERS_PER_ACCOUNT: usize = 100;
/// Size of the metadata document of a SAML provider, in bytes.
pub const SAML_METADATA_BYTES: usize = 256 * 1024;
/// Private keys of a SAML provider.
pub const SAML_PRIVATE_KEYS: usize = 2;
/// Maximum lifetime of GetSessionToken credentials, in seconds.
pub const SESSION_SECS: i64 = 129_600;
/// Keys of one owner whose ended sessions are recorded one by one; beyond that, the sessions of all
/// its keys are ended.
pub const ENDED_KEYS_PER_OWNER: usize = 8;
/// The same for keys that were deleted before, whose owner is unknown; beyond that, the sessions of
/// all keys of the account are ended.
pub const ENDED_KEYS_WITHOUT_OWNER: usize = 1000;
/// Virtual MFA devices per account, assigned or not: one per user.
pub const MFA_DEVICES_PER_ACCOUNT: usize = USERS_PER_ACCOUNT;
/// MFA devices assigned to a user or to the root user.
pub const MFA_DEVICES_PER_USER: usize = 8;
/// Maximum length of an MFA device's serial number, in characters.
pub const MFA_SERIAL_CHARS: usize = 256;
/// MFA codes that may be tried at the console within [`MFA_WINDOW_SECS`], and with one access key
/// before it must wait.
pub const MFA_ATTEMPTS: u32 = 9;
/// Wrong codes of an MFA device that all known browsers together may try in an hour. Beyond that
/// they count as unknown browsers.
pub const MFA_ATTEMPTS_KNOWN: u32 = 60;
/// The window in which attempts at the console are counted, in seconds; it is aligned to the hour.
/// Also the first wait of an access key.
pub const MFA_WINDOW_SECS: i64 = 3 * 60;
/// The longest wait of an access key, in seconds. It allows three attempts a day, each with a
/// chance of one in 200,000.
pub const MFA_WAIT_SECS_MAX: i64 = 8 * 60 * 60;
/// Seconds without an attempt after which an access key's wrong codes are forgotten.
pub const MFA_MEMORY_SECS: i64 = 7 * 24 * 60 * 60;
/// MFA devices whose wrong codes through the API are remembered.
pub const MFA_DEVICES_REMEMBERED: usize = 10_000;
/// Managed policies attached to one user.
pub const ATTACHED_POLICIES_PER_USER: usize = 10;
/// Managed policies attached to one group.
pub const ATTACHED_POLICIES_PER_GROUP: usize = 10;
/// Managed policies attached to a role.
pub const ATTACHED_POLICIES_PER_ROLE: usize = 10;
/// Versions of one managed policy.
pub const VERSIONS_PER_POLICY: usize = 5;
/// Tags of one entity.
pub const TAGS_PER_ENTITY: usize = 50;

/// Previous passwords remembered (as hashes) to prevent reuse; the maximum of
/// PasswordReusePrevention.
pub const PASSWORDS_REMEMBERED: usize = 24;
/// Seconds for which the last use of a role is reported: 400 days, as on AWS.
pub const LAST_USED_SECS: i64 = 400 * 24 * 60 * 60;
/// Hours for which an existing credential report is returned instead of a new one.
pub const CREDENTIAL_REPORT_HOURS: i64 = 4;

/// Size of a managed policy in characters, not counting white space.
pub const POLICY_SIZE: usize = 6144;
/// Total size of a user's inline policies in characters, not counting white space.
pub const USER_POLICY_SIZE: usize = 2048;
/// Total size of a group's inline policies in characters, not counting white space.
pub const GROUP_POLICY_SIZE: usize = 5120;
/// Characters of all inline policies of a role, white space not counted.
pub const ROLE_POLICY_SIZE: usize = 10_240;
/// Characters of a role's trust policy, white space not counted.
pub const TRUST_POLICY_SIZE: usize = 2048;
/// Total size of the inline policies of a user or group in bytes, including white space. It equals
/// the longest document that a request can carry. Every change of the owner rewrites them all.
pub const INLINE_POLICIES_BYTES: usize = 128 * 1024;
/// Size of a bucket policy in bytes, including white space.
pub const BUCKET_POLICY_BYTES: usize = 20 * 1024;
/// Nesting depth of a policy document's JSON. The grammar itself needs 6.
pub const POLICY_DEPTH: usize = 32;

/// Matching steps of one decision. A step is about one byte of text compared with a pattern, so
/// this allows some thousand wildcard patterns on the longest ARN. Decisions that need more are
/// denied.
pub const DECISION_STEPS: u64 = 4_000_000;
/// Matching steps (see [`DECISION_STEPS`]) of a decision on a thread that also serves other
/// requests: less than a millisecond. Decisions that need more move off those threads. For IAM and
/// STS, the limit covers all decisions of a request together.
pub const SHORT_DECISION_STEPS: u64 = 100_000;
/// Steps of all decisions of one S3 request on such threads.
pub const SHORT_REQUEST_STEPS: u64 = 500_000;
/// Steps of all decisions of one request. Requests that need more are denied.
pub const REQUEST_STEPS: u64 = 100_000_000;
/// Decisions after which a request with many of them yields to other requests.
pub const DECISIONS_IN_A_ROW: usize = 4;
/// Statements examined for one page of a policy simulation, counted once per pair of action and
/// resource.
pub const SIMULATED_STATEMENTS: usize = 100_000;
/// Matching steps (see [`DECISION_STEPS`]) of one page of a policy simulation or of a list of
/// authorized principals.
pub const PAGE_STEPS: u64 = 100_000_000;
/// Approximate size of the policy documents in one page of a list, in bytes. A page has at least
/// one item.
pub const PAGE_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;
/// Approximate size of a policy's name and owner in a response, in bytes.
pub const LISTED_POLICY_BYTES: usize = 512;
/// Approximate size of the results of one page of a policy simulation, in bytes.
pub const SIMULATED_BYTES: usize = 4 * 1024 * 1024;

/// CPU-heavy actions of one principal that may wait for the processor.
pub const HEAVY_WAITING_EACH: usize = 16;
/// CPU-heavy actions that may wait for the processor in total. Each holds its request's input.
pub const HEAVY_WAITING: usize = 64;
/// Pages and other large responses of one principal that may wait for the processor.
pub const PAGES_WAITING_EACH: usize = 64;
/// Pages and other large responses that may wait for the processor in total.
pub const PAGES_WAITING: usize = 512;
/// How often a long decision is repeated because its inputs keep changing.
pub const LONG_DECISIONS_EACH: usize = 4;
/// Concurrent password hashes, regardless of the number of processors; each takes 19 MiB.
pub const PASSWORD_HASHES: usize = 4;
/// Password hashes of one principal or address that may wait.
pub const PASSWORDS_WAITING_EACH: usize = 128;
/// Password hashes that may wait in total.
pub const PASSWORDS_WAITING: usize = 512;
/// S3 listings of one principal, or of one address if anonymous, that may wait.
pub const LISTINGS_WAITING_EACH: usize = 128;
/// S3 listings that may wait in total.
pub const LISTINGS_WAITING: usize = 1024;
/// Seconds that a CPU-heavy action, a password hash or a listing may wait.
pub const WORK_WAIT_SECS: u64 = 20;

/// Size of the document of an import once it is decompressed, in bytes.
pub const IMPORT_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// Entities in one import: as many as an account can have.
pub const IMPORT_ENTITIES: usize = USERS_PER_ACCOUNT
    + GROUPS_PER_ACCOUNT
    + ROLES_PER_ACCOUNT
    + POLICIES_PER_ACCOUNT
    + INSTANCE_PROFILES_PER_ACCOUNT;
/// Operations of IAM that one import may consist of. An account at all of its quotas needs not
/// quite as many.
pub const IMPORT_OPERATIONS: usize = 150_000;
/// Steps (see [`DECISION_STEPS`]) of all decisions of one import.
pub const IMPORT_STEPS: u64 = 10 * REQUEST_STEPS;

/// Findings listed in one response about a policy.
pub const POLICY_FINDINGS: usize = 500;

/// Denied requests remembered per account.
pub const DENIALS_PER_ACCOUNT: usize = 1000;
/// Bytes of all denied requests remembered per account, with the policies that decided them.
pub const DENIAL_BYTES_PER_ACCOUNT: usize = 16 * 1024 * 1024;
/// Resources listed in the event of one request.
pub const EVENT_RESOURCES: usize = 100;
/// Statements listed in the explanation of one decision.
pub const EXAMINED_STATEMENTS: usize = 500;

/// Destinations of one rotation, including those removed while it was open.
pub const ROTATION_DESTINATIONS: usize = 100;

/// Minutes by which a request's date may differ from the server's clock.
pub const CLOCK_SKEW_MINUTES: i64 = 15;
/// Maximum validity of a presigned URL in seconds: 7 days.
pub const PRESIGN_SECS_MAX: i64 = 604_800;
/// Minutes for which an idempotency token returns the same access key.
pub const IDEMPOTENCY_MINUTES: i64 = 15;
/// Maximum length of an idempotency token, in characters.
pub const IDEMPOTENCY_TOKEN_CHARS: usize = 64;

/// Size of an awsQuery request's body in bytes. A policy document has at most 131,072 characters,
/// which percent-encoding can triple.
pub const QUERY_BODY_BYTES: usize = 1024 * 1024;
/// Size of a server's response that the command line reads, in bytes.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Size of a credentials file, in bytes.
pub const CREDENTIALS_FILE_BYTES: u64 = 1024 * 1024;
/// Parameters per awsQuery request.
pub const QUERY_PARAMETERS: usize = 10_000;
/// Size of a request's head (request line and headers), in bytes.
pub const HEAD_BYTES: usize = 64 * 1024;
/// Headers per request.
pub const HEADERS: usize = 200;

/// Concurrent connections, however many file descriptors are available. Each costs some ten
/// kilobytes here and as much again in the kernel.
pub const CONNECTIONS: usize = 10_000;
/// Percentage of all connections that one address (for IPv6, one /64 network) may hold, so that
/// half remain for all others. Loopback is exempt, because a proxy on the same machine carries
/// everyone's connections.
pub const CONNECTIONS_PER_SOURCE_PERCENT: usize = 50;
/// Percentage of all connections that verified S3 requests may hold. The rest is reserved for IAM,
/// STS and the console.
pub const TRANSFERS_PERCENT: usize = 75;
/// Percentage of all connections that one principal's verified requests may hold, counted
/// separately for S3 and for everything else.
pub const CONNECTIONS_PER_PRINCIPAL_PERCENT: usize = 25;
/// File descriptors per connection: its socket, and a file that it reads or writes.
pub const FILES_PER_CONNECTION: usize = 2;
/// File descriptors for everything else: databases, listeners, deliveries of rotations.
pub const FILES_RESERVED: usize = 128;
/// File descriptors requested at startup, up to the system's hard limit.
pub const FILES_WANTED: u64 = 65_536;
/// Minimum interval between two log lines about rejected connections, in seconds.
pub const REFUSAL_LOG_SECS: u64 = 10;

/// Seconds within which a request's head must arrive.
pub const HEAD_SECS: u64 = 30;
/// Seconds that a request body may stall; S3 allows about twenty.
pub const BODY_IDLE_SECS: u64 = 20;
/// Bytes that earn a slow body one more second. A slower body is cut off after [`BODY_IDLE_SECS`];
/// a modem of the 1990s is faster.
pub const BODY_BYTES_PER_SEC_MIN: u64 = 1024;
/// Seconds for which a client may read nothing of a response. Generous, because a slow but honest
/// reader leaves long gaps while the kernel has megabytes buffered. Reading earns the client a
/// second per [`READ_BYTES_PER_SEC_MIN`] bytes, up to this limit.
pub const WRITE_IDLE_SECS: u64 = 60;
/// Of those, the seconds after which a slow reader's connection may be closed in favor of another.
pub const WRITE_PROTECTED_SECS: u64 = 20;
/// Bytes per second that a client must read of a response, on average.
pub const READ_BYTES_PER_SEC_MIN: u64 = BODY_BYTES_PER_SEC_MIN;
/// Seconds after the stop signal in which a connection must transfer [`BODY_BYTES_PER_SEC_MIN`]
/// bytes for each second, unless the server itself is working on its request.
pub const STOP_IDLE_SECS: u64 = 5;
/// Seconds that requests in progress get to finish after the stop signal.
pub const STOP_SECS: u64 = 30;

/// Bytes of an unwanted body that are read and discarded after the response was sent. A client that
/// is still writing when the connection closes loses the response (`EPIPE`), so this allows the
/// largest part that SDKs send by default.
pub const DISCARDED_BODY_BYTES: u64 = 16 * 1024 * 1024;
/// Seconds for which an unwanted body is read; by then every client has received its response.
pub const DISCARDED_BODY_SECS: u64 = 10;
/// Bytes of bodies held in memory for all requests together, in addition to [`BODY_BYTES_FREE`]
/// each: 32 forms or 16 XML documents of maximum length.
pub const BODIES_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of every body that can always be held, so that full memory does not stop ordinary
/// requests. Also the limit for a form that is read before its sender is known.
pub const BODY_BYTES_FREE: usize = 16 * 1024;

/// Size of a document of an identity provider (its configuration or its keys), in bytes.
pub const PROVIDER_DOCUMENT_BYTES: usize = 256 * 1024;
/// Seconds within which both documents of an identity provider must arrive.
pub const PROVIDER_FETCH_SECS: u64 = 10;
/// Keys of an identity provider. A longer list is not used at all.
pub const PROVIDER_KEYS: usize = 100;
/// Certificates that an identity provider may present.
pub const PROVIDER_CERTIFICATES: usize = 10;
/// Seconds for which the keys of an identity provider are used before they are fetched again.
pub const PROVIDER_KEYS_SECS: i64 = 15 * 60;
/// Seconds between two fetches because a token names a key that is unknown.
pub const PROVIDER_REFRESH_SECS: i64 = 60;
/// Seconds after a failed fetch before the next one, doubled with each failure in a row.
pub const PROVIDER_RETRY_SECS: i64 = 5;
/// The longest wait after failed fetches, in seconds.
pub const PROVIDER_RETRY_SECS_MAX: i64 = 5 * 60;
/// Providers of one account whose keys are fetched at the same time.
pub const PROVIDER_FETCHES_PER_ACCOUNT: usize = 4;
/// Seconds by which the clock of an identity provider may differ: AWS's five minutes.
pub const TOKEN_LEEWAY_SECS: i64 = 5 * 60;
/// Characters of a token's subject.
pub const TOKEN_SUBJECT_CHARS: usize = 255;
/// Elements of a SAML response.
pub const SAML_ELEMENTS: usize = 5_000;
/// Elements in elements of a SAML response.
pub const SAML_DEPTH: usize = 32;
/// Attributes and namespaces of an element of a SAML response.
pub const SAML_XML_ATTRIBUTES: usize = 64;
/// Bytes of a URI in a SAML response: a namespace, where an assertion is presented, the format of a
/// name.
pub const SAML_URI_BYTES: usize = 256;
/// Bytes of the name of a SAML provider (`entityID`): the standard's limit.
pub const SAML_ENTITY_BYTES: usize = 1024;
/// Bytes of the canonical form of a SAML response. Those of providers are about as long as their
/// documents.
pub const SAML_CANONICAL_BYTES: usize = 1024 * 1024;
/// Seconds after which an assertion can no longer be used: AWS's five minutes.
pub const ASSERTION_SECS: i64 = 5 * 60;
/// Seconds that an assertion may let its session last: AWS's range.
pub const ASSERTED_SESSION_SECS: std::ops::RangeInclusive<i32> = 900..=43_200;
/// Seconds by which the clock of a SAML provider may be ahead.
pub const ASSERTION_LEEWAY_SECS: i64 = 60;
/// Used assertions that are remembered for an account until they expire.
pub const USED_ASSERTIONS_PER_ACCOUNT: usize = 10_000;
/// Methods of authentication (`amr`) that a token may name.
pub const TOKEN_METHODS: usize = 16;
/// Characters of each of them.
pub const TOKEN_METHOD_CHARS: usize = 64;

/// Interval between checks of the certificate files, in seconds.
pub const CERTIFICATE_CHECK_SECS: u64 = 10;
/// Size of a PEM file for TLS, in bytes.
pub const PEM_BYTES: u64 = 1024 * 1024;

/// Size of a request body from the console, in bytes.
pub const CONSOLE_BODY_BYTES: usize = 16 * 1024;
/// Concurrent console sessions.
pub const CONSOLE_SESSIONS: usize = 10_000;
/// Concurrent console sessions of one user, or of the root user.
pub const CONSOLE_SESSIONS_EACH: usize = 20;
/// Lifetime of the console's temporary credentials, in seconds.
pub const CONSOLE_CREDENTIALS_SECS: i64 = 15 * 60;
/// Lifetime of forward access session credentials, in seconds.
pub const FORWARD_ACCESS_SESSION_SECS: i64 = 5 * 60;
/// Rotation policies per account.
pub const ROTATION_POLICIES_PER_ACCOUNT: usize = 50;
/// Entries in each table of failed sign-ins: by name and address, by name and browser, by address.
pub const SIGN_INS_REMEMBERED: usize = 10_000;
/// Users, including root, that a browser is known to have signed in as.
pub const USERS_PER_BROWSER: usize = 8;
/// Size of the cookie that records them, in bytes.
pub const BROWSER_COOKIE_BYTES: usize = 2048;
/// Ports after the API's that are tried for the console.
pub const CONSOLE_PORTS: u16 = 16;
/// Proxies between a client and this server that are considered.
pub const PROXY_HOPS: usize = 32;

/// Objects per S3 listing page, and deletions per DeleteObjects request.
pub const S3_PAGE: usize = 1000;
/// Size of an S3 object key, in bytes.
pub const S3_KEY_BYTES: usize = 1024;
/// Parts per multipart upload.
pub const S3_PARTS: i32 = 10_000;
/// Parts of an upload up to which it is assembled on a thread that serves other requests.
pub const S3_PARTS_SHORTLY: usize = 100;
/// Minimum size of every part but the last, in bytes.
pub const S3_PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Maximum size of one PUT or one part, in bytes.
pub const S3_PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Size of an XML body that S3 parses, in bytes. CompleteMultipartUpload with 10,000 parts is the
/// largest.
pub const S3_XML_BYTES: usize = 2 * 1024 * 1024;
/// Size of an S3 XML body that lists neither keys nor parts, in bytes. It fits 50 tags with every
/// character escaped.
pub const S3_SHORT_XML_BYTES: usize = 128 * 1024;
/// Opening and closing tags (`<`) of such a body.
pub const S3_SHORT_XML_MARKS: usize = 2048;
/// Size of an S3 XML body up to which it is parsed on a thread that serves other requests, in
/// bytes.
pub const S3_XML_BYTES_SHORTLY: usize = 32 * 1024;
/// Opening and closing tags (`<`) per key or part in a body that lists them: the element and its
/// fields.
pub const S3_ENTRY_MARKS: usize = 12;
/// Buckets per account.
pub const S3_BUCKETS: usize = 10_000;
/// Tags per object.
pub const S3_OBJECT_TAGS: usize = 10;
/// Total size of an object's user metadata (`x-amz-meta-*`), in bytes.
pub const S3_METADATA_BYTES: usize = 2048;
/// Total size of all headers stored with an object, in bytes: names and values, including user
/// metadata.
pub const S3_STORED_HEADER_BYTES: usize = 8 * 1024;
/// Bytes that a quota counts for the row of an object, a part or an unfinished upload, in addition
/// to what it stores.
pub const S3_ROW_BYTES: u64 = 512;
/// Memory for objects that were read lately, in bytes: what is known of them, and the encrypted
/// bytes of small ones.
pub const S3_HOT_OBJECT_BYTES: usize = 16 * 1024 * 1024;
/// Memory for buckets that were read lately, in bytes.
pub const S3_HOT_BUCKET_BYTES: usize = 4 * 1024 * 1024;
/// The largest bucket or object of these, in bytes.
pub const S3_HOT_ROW_BYTES: usize = 40 * 1024;
/// Bytes of response documents that all clients together have not read yet.
pub const ANSWERS_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of response documents that the clients of one principal have not read yet. A single
/// document may exceed it.
pub const ANSWERS_BYTES_EACH: usize = 8 * 1024 * 1024;
/// Size of the line before a chunk's data in an aws-chunked body, in bytes.
pub const CHUNK_HEAD_BYTES: usize = 256;
/// Total size of the trailers of an aws-chunked body, in bytes.
pub const TRAILER_BYTES: usize = 4096;
/// Trailers per aws-chunked body.
pub const TRAILERS: usize = 8;
