//! Every limit of the product, in one place. AWS's own quotas carry AWS's names.

/// Users of an account (IAM quota `UsersPerAccount`).
pub const USERS_PER_ACCOUNT: usize = 5000;
/// Groups of an account.
pub const GROUPS_PER_ACCOUNT: usize = 300;
/// Customer managed policies of an account.
pub const POLICIES_PER_ACCOUNT: usize = 1500;
/// Groups that one user may be a member of.
pub const GROUPS_PER_USER: usize = 10;
/// Access keys of a user or of the root user, inactive ones included.
pub const ACCESS_KEYS_PER_USER: usize = 2;
/// Seconds that credentials of GetSessionToken last at most.
pub const SESSION_SECS: i64 = 129_600;
/// Keys of an account whose sessions are ended and could otherwise still be used.
pub const ENDED_SESSIONS_KEYS: usize = 10_000;
/// Virtual MFA devices of an account, assigned or not: as many as users.
pub const MFA_DEVICES_PER_ACCOUNT: usize = USERS_PER_ACCOUNT;
/// MFA devices assigned to a user or to the root user.
pub const MFA_DEVICES_PER_USER: usize = 8;
/// Characters of an MFA device's serial number.
pub const MFA_SERIAL_CHARS: usize = 256;
/// Codes of an MFA device that may be tried at the console in one window of [`MFA_WINDOW_SECS`],
/// and with one access key before it waits.
pub const MFA_ATTEMPTS: u32 = 9;
/// Seconds of the window in which attempts at the console are counted, which begins on the hour;
/// and the first wait of an access key.
pub const MFA_WINDOW_SECS: i64 = 3 * 60;
/// Seconds of the longest wait of an access key: three attempts a day, of which one in 200 000
/// hits.
pub const MFA_WAIT_SECS_MAX: i64 = 8 * 60 * 60;
/// Seconds without an attempt after which wrong codes of an access key are forgotten.
pub const MFA_MEMORY_SECS: i64 = 7 * 24 * 60 * 60;
/// MFA devices whose wrong codes by the API are remembered.
pub const MFA_DEVICES_REMEMBERED: usize = 10_000;
/// Managed policies attached to one user.
pub const ATTACHED_POLICIES_PER_USER: usize = 10;
/// Managed policies attached to one group.
pub const ATTACHED_POLICIES_PER_GROUP: usize = 10;
/// Versions of one managed policy.
pub const VERSIONS_PER_POLICY: usize = 5;
/// Tags of one entity.
pub const TAGS_PER_ENTITY: usize = 50;

/// Earlier passwords that are remembered (as hashes) so that they do not come back; the most that
/// PasswordReusePrevention can ask for.
pub const PASSWORDS_REMEMBERED: usize = 24;
/// Hours for which a credential report is answered again instead of being made anew.
pub const CREDENTIAL_REPORT_HOURS: i64 = 4;

/// Characters of a managed policy, white space not counted.
pub const POLICY_SIZE: usize = 6144;
/// Characters of all inline policies of a user, white space not counted.
pub const USER_POLICY_SIZE: usize = 2048;
/// Characters of all inline policies of a group, white space not counted.
pub const GROUP_POLICY_SIZE: usize = 5120;
/// Bytes of all inline policies of a user or a group, white space included: the longest document
/// that a request may bring. Every change of their owner writes them again.
pub const INLINE_POLICIES_BYTES: usize = 128 * 1024;
/// Bytes of a bucket policy, white space included.
pub const BUCKET_POLICY_BYTES: usize = 20 * 1024;
/// Nesting of a policy document's JSON. The grammar itself needs 6.
pub const POLICY_DEPTH: usize = 32;

/// Steps of matching that one decision takes: about a byte of text compared with a pattern each. It
/// is some thousand patterns with wildcards on the longest ARN. What needs more is denied.
pub const DECISION_STEPS: u64 = 4_000_000;
/// Steps of matching (see [`DECISION_STEPS`]) of a decision that a thread takes which answers other
/// requests, too: less than a millisecond. What needs more is decided beside those threads. Of IAM
/// and STS they are for all decisions of a request together.
pub const SHORT_DECISION_STEPS: u64 = 100_000;
/// Steps of all decisions of one S3 request that such threads take.
pub const SHORT_REQUEST_STEPS: u64 = 500_000;
/// Steps of all decisions of one request. What needs more is denied.
pub const REQUEST_STEPS: u64 = 100_000_000;
/// Decisions after which a request that needs many lets others go first.
pub const DECISIONS_IN_A_ROW: usize = 4;
/// Statements that one page of a policy simulation looks at, each counted once for every pair of
/// action and resource.
pub const SIMULATED_STATEMENTS: usize = 100_000;
/// Steps of matching (see [`DECISION_STEPS`]) of one page of a policy simulation, or of a list of
/// authorized principals.
pub const PAGE_STEPS: u64 = 100_000_000;
/// Bytes of the results of one page of a policy simulation, about.
pub const SIMULATED_BYTES: usize = 4 * 1024 * 1024;

/// Heavy actions of one principal that wait for the processor.
pub const HEAVY_WAITING_EACH: usize = 16;
/// Heavy actions that wait for the processor altogether; each holds the input of its request.
pub const HEAVY_WAITING: usize = 64;
/// Pages and other large answers of one principal that wait for the processor.
pub const PAGES_WAITING_EACH: usize = 64;
/// Pages and other large answers that wait for the processor altogether.
pub const PAGES_WAITING: usize = 512;
/// Times that a request is decided at length because what it is decided by keeps changing.
pub const LONG_DECISIONS_EACH: usize = 4;
/// Password hashes at the same time, whatever the number of processors: 19 MiB each.
pub const PASSWORD_HASHES: usize = 4;
/// Password hashes of one principal or address that wait.
pub const PASSWORDS_WAITING_EACH: usize = 128;
/// Password hashes that wait altogether.
pub const PASSWORDS_WAITING: usize = 512;
/// S3 listings of one principal, or of one address without any, that wait.
pub const LISTINGS_WAITING_EACH: usize = 128;
/// S3 listings that wait altogether.
pub const LISTINGS_WAITING: usize = 1024;
/// Seconds that a heavy action, a password hash or a listing may wait for its turn.
pub const WORK_WAIT_SECS: u64 = 20;

/// Findings that one answer on a policy lists.
pub const POLICY_FINDINGS: usize = 500;

/// Denied requests that are remembered for one account.
pub const DENIALS_PER_ACCOUNT: usize = 1000;
/// Bytes of the context and texts of all denied requests that are remembered for one account.
pub const DENIAL_BYTES_PER_ACCOUNT: usize = 4 * 1024 * 1024;
/// Statements that the explanation of one decision lists.
pub const EXAMINED_STATEMENTS: usize = 500;

/// Destinations of one rotation, those among them that were removed while it was open.
pub const ROTATION_DESTINATIONS: usize = 100;

/// Minutes by which a request's date may differ from the server's clock.
pub const CLOCK_SKEW_MINUTES: i64 = 15;
/// Seconds that a presigned URL may be valid: 7 days.
pub const PRESIGN_SECS_MAX: i64 = 604_800;
/// Minutes in which the same idempotency token returns the same access key.
pub const IDEMPOTENCY_MINUTES: i64 = 15;
/// Characters of an idempotency token.
pub const IDEMPOTENCY_TOKEN_CHARS: usize = 64;

/// Bytes of an awsQuery request's body. A policy document is at most 131,072 characters, which
/// percent-encoding can triple.
pub const QUERY_BODY_BYTES: usize = 1024 * 1024;
/// Bytes of an answer that the command line reads from a server.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a credentials file.
pub const CREDENTIALS_FILE_BYTES: u64 = 1024 * 1024;
/// Parameters of an awsQuery request.
pub const QUERY_PARAMETERS: usize = 10_000;
/// Bytes of a request's head (request line and headers).
pub const HEAD_BYTES: usize = 64 * 1024;
/// Headers of a request.
pub const HEADERS: usize = 200;

/// Connections at the same time, however many file descriptors there are: each costs some ten
/// kilobytes here and as much again in the kernel.
pub const CONNECTIONS: usize = 10_000;
/// Connections at the same time of one address (of IPv6, one network of 64 bits) in every hundred
/// that are possible: whoever has one address leaves half to all others. Loopback is exempt,
/// because a proxy on the same machine brings everyone's.
pub const CONNECTIONS_PER_SOURCE_PERCENT: usize = 50;
/// Connections in every hundred that are possible which verified S3 requests may keep: the others
/// stay for IAM, STS and the console.
pub const TRANSFERS_PERCENT: usize = 75;
/// Connections in every hundred that are possible which the verified requests of one principal may
/// keep, those for S3 and those for everything else each.
pub const CONNECTIONS_PER_PRINCIPAL_PERCENT: usize = 25;
/// File descriptors that a connection may need: its socket, and a file that it reads or writes.
pub const FILES_PER_CONNECTION: usize = 2;
/// File descriptors for everything else: databases, listeners, deliveries of rotations.
pub const FILES_RESERVED: usize = 128;
/// File descriptors that are wanted at the start, if the system's hard limit lets us.
pub const FILES_WANTED: u64 = 65_536;
/// Seconds between two log lines about connections that were turned away.
pub const REFUSAL_LOG_SECS: u64 = 10;

/// Seconds in which a request's head must arrive.
pub const HEAD_SECS: u64 = 30;
/// Seconds that a body may keep the server waiting without a byte; S3 gives about twenty.
pub const BODY_IDLE_SECS: u64 = 20;
/// Bytes that buy a slow body one more second. A body slower than this is ended after
/// [`BODY_IDLE_SECS`]; a modem of the 1990s is faster.
pub const BODY_BYTES_PER_SEC_MIN: u64 = 1024;
/// Seconds for which a client may take nothing of an answer. Generous: where a kernel has buffered
/// megabytes, a slow but honest reader leaves long gaps. What a client takes earns it a second for
/// every [`READ_BYTES_PER_SEC_MIN`], never more than these.
pub const WRITE_IDLE_SECS: u64 = 60;
/// Of those, the seconds after which a slow reader's connection may be closed for another.
pub const WRITE_PROTECTED_SECS: u64 = 20;
/// Bytes that a client must take of an answer in a second, on average.
pub const READ_BYTES_PER_SEC_MIN: u64 = BODY_BYTES_PER_SEC_MIN;
/// Seconds after the signal to stop in which a connection must move
/// [`BODY_BYTES_PER_SEC_MIN`] bytes for each, unless the server itself is at work for it.
pub const STOP_IDLE_SECS: u64 = 5;
/// Seconds that requests under way get to finish after the signal to stop.
pub const STOP_SECS: u64 = 30;

/// Bytes of an unwanted body that are read and thrown away after its request was answered. A
/// client that still writes when the connection is closed loses the answer (`EPIPE`); so it gets
/// room for the largest part that SDKs send by themselves.
pub const DISCARDED_BODY_BYTES: u64 = 16 * 1024 * 1024;
/// Seconds for which an unwanted body is read; by then every client has had its answer.
pub const DISCARDED_BODY_SECS: u64 = 10;
/// Bytes of bodies that are held in memory for all requests together, beyond
/// [`BODY_BYTES_FREE`] of each: 32 forms or 16 XML documents of full length.
pub const BODIES_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of every body that may always be held, so that full memory stops no everyday request; and
/// of a form that is read before anything is known of its sender.
pub const BODY_BYTES_FREE: usize = 16 * 1024;

/// Seconds between two looks at the certificate's files.
pub const CERTIFICATE_CHECK_SECS: u64 = 10;
/// Bytes of a PEM file for TLS.
pub const PEM_BYTES: u64 = 1024 * 1024;

/// Bytes of a body that the console sends.
pub const CONSOLE_BODY_BYTES: usize = 16 * 1024;
/// Console sessions at the same time.
pub const CONSOLE_SESSIONS: usize = 10_000;
/// Console sessions of one user, or of root, at the same time.
pub const CONSOLE_SESSIONS_EACH: usize = 20;
/// Seconds that the console's temporary credentials are valid.
pub const CONSOLE_CREDENTIALS_SECS: i64 = 15 * 60;
/// Seconds that credentials are valid which the server lends itself to act for somebody.
pub const FORWARD_ACCESS_SESSION_SECS: i64 = 5 * 60;
/// Rotation policies of an account.
pub const ROTATION_POLICIES_PER_ACCOUNT: usize = 50;
/// Entries of each table of failed sign-ins: by name and address, by name and browser, by address.
pub const SIGN_INS_REMEMBERED: usize = 10_000;
/// Users, root included, that a browser is known to have signed in as.
pub const USERS_PER_BROWSER: usize = 8;
/// Bytes of the cookie that says so.
pub const BROWSER_COOKIE_BYTES: usize = 2048;
/// Ports after the API's that are tried for the console.
pub const CONSOLE_PORTS: u16 = 16;
/// Proxies between a client and this server that are looked at.
pub const PROXY_HOPS: usize = 32;

/// Objects in one S3 listing page, deletions in one DeleteObjects.
pub const S3_PAGE: usize = 1000;
/// Bytes of an S3 object key.
pub const S3_KEY_BYTES: usize = 1024;
/// Parts of a multipart upload.
pub const S3_PARTS: i32 = 10_000;
/// Parts of an upload that are read and put together among other requests.
pub const S3_PARTS_SHORTLY: usize = 100;
/// Bytes of every part but the last.
pub const S3_PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Bytes of one PUT or one part.
pub const S3_PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Bytes of an XML body that S3 parses (CompleteMultipartUpload with 10,000 parts is the largest).
pub const S3_XML_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of an XML body of S3 that lists neither keys nor parts: 50 tags of which every character
/// is escaped fit.
pub const S3_SHORT_XML_BYTES: usize = 128 * 1024;
/// Opening and closing marks (`<`) of such a body.
pub const S3_SHORT_XML_MARKS: usize = 2048;
/// Bytes of an XML body of S3 up to which it is parsed among other requests.
pub const S3_XML_BYTES_SHORTLY: usize = 32 * 1024;
/// Of each key or part in a body that lists them: itself and its fields, opened and closed.
pub const S3_ENTRY_MARKS: usize = 12;
/// Buckets of an account.
pub const S3_BUCKETS: usize = 10_000;
/// Tags of one object.
pub const S3_OBJECT_TAGS: usize = 10;
/// Bytes of all user metadata (`x-amz-meta-*`) of an object.
pub const S3_METADATA_BYTES: usize = 2048;
/// Bytes of all headers that are stored with an object, user metadata included, names and values.
pub const S3_STORED_HEADER_BYTES: usize = 8 * 1024;
/// Bytes that a quota counts for the row of an object, a part or an unfinished upload, beside what
/// is stored with it.
pub const S3_ROW_BYTES: u64 = 512;
/// Bytes of the documents that all clients together have not read yet.
pub const ANSWERS_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of the documents that the clients of one principal have not read yet, if there is more
/// than one.
pub const ANSWERS_BYTES_EACH: usize = 8 * 1024 * 1024;
/// Bytes of the line before a chunk's data in an aws-chunked body.
pub const CHUNK_HEAD_BYTES: usize = 256;
/// Bytes of all trailers of an aws-chunked body.
pub const TRAILER_BYTES: usize = 4096;
/// Trailers of an aws-chunked body.
pub const TRAILERS: usize = 8;
