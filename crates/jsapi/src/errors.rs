//! JetStream error codes with the peer's texts. Generated from `errors.json` by `cargo xtask codegen`; do not edit.

use std::fmt::Display;

use crate::error::ApiError;

/// Every error code of the table, ascending by place in the file.
pub const CODES: &[u16] = &[
    10002, 10003, 10004, 10005, 10006, 10007, 10008, 10009, 10010, 10011, 10012, 10013, 10014, 10015, 10016,
    10017, 10018, 10019, 10020, 10021, 10022, 10023, 10024, 10025, 10026, 10027, 10028, 10029, 10030, 10031,
    10032, 10033, 10034, 10035, 10036, 10037, 10038, 10039, 10040, 10041, 10042, 10043, 10044, 10045, 10046,
    10047, 10048, 10049, 10050, 10051, 10052, 10053, 10054, 10055, 10056, 10057, 10058, 10059, 10060, 10061,
    10062, 10063, 10064, 10065, 10066, 10067, 10068, 10069, 10070, 10071, 10072, 10073, 10074, 10075, 10076,
    10077, 10078, 10079, 10080, 10081, 10082, 10083, 10084, 10085, 10086, 10087, 10088, 10089, 10090, 10091,
    10092, 10093, 10094, 10095, 10096, 10097, 10098, 10099, 10100, 10101, 10102, 10103, 10104, 10105, 10106,
    10107, 10108, 10109, 10110, 10111, 10112, 10113, 10114, 10115, 10116, 10117, 10118, 10119, 10120, 10121,
    10122, 10123, 10124, 10125, 10126, 10127, 10128, 10129, 10130, 10131, 10132, 10133, 10134, 10135, 10136,
    10137, 10138, 10139, 10140, 10141, 10142, 10143, 10144, 10145, 10146, 10147, 10148, 10149, 10150, 10151,
    10152, 10153, 10154, 10155, 10156, 10157, 10158, 10159, 10160, 10161, 10162, 10163, 10164, 10165, 10166,
    10167, 10168, 10169, 10170, 10171, 10172, 10173, 10174, 10175, 10176, 10177, 10178, 10179, 10180, 10181,
    10182, 10183, 10184, 10185, 10186, 10187, 10188, 10189, 10190, 10191, 10192, 10193, 10194, 10195, 10196,
    10197, 10198, 10199, 10200, 10201, 10202, 10203, 10204, 10205, 10206, 10207, 10208, 10209, 10210, 10211,
    10212, 10213, 10214, 10215, 10216, 10217, 10218, 10219, 10220, 10221, 10222, 10223, 10224, 10225, 10226,
    10227,
];

/// 10002: resource limits exceeded for account
pub const ACCOUNT_RESOURCES_EXCEEDED: ApiError =
    ApiError::fixed(400, 10002, "resource limits exceeded for account");
/// 10003: bad request
pub const BAD_REQUEST: ApiError = ApiError::fixed(400, 10003, "bad request");
/// 10004: incomplete results
pub const CLUSTER_INCOMPLETE: ApiError = ApiError::fixed(503, 10004, "incomplete results");
/// 10006: JetStream not in clustered mode
pub const CLUSTER_NOT_ACTIVE: ApiError = ApiError::fixed(500, 10006, "JetStream not in clustered mode");
/// 10007: JetStream cluster not assigned to this server
pub const CLUSTER_NOT_ASSIGNED: ApiError =
    ApiError::fixed(500, 10007, "JetStream cluster not assigned to this server");
/// 10008: JetStream system temporarily unavailable
pub const CLUSTER_NOT_AVAIL: ApiError =
    ApiError::fixed(503, 10008, "JetStream system temporarily unavailable");
/// 10009: JetStream cluster can not handle request
pub const CLUSTER_NOT_LEADER: ApiError =
    ApiError::fixed(500, 10009, "JetStream cluster can not handle request");
/// 10010: JetStream clustering support required
pub const CLUSTER_REQUIRED: ApiError = ApiError::fixed(503, 10010, "JetStream clustering support required");
/// 10011: tags placement not supported for operation
pub const CLUSTER_TAGS: ApiError = ApiError::fixed(400, 10011, "tags placement not supported for operation");
/// 10013: consumer name already in use
pub const CONSUMER_NAME_EXIST: ApiError = ApiError::fixed(400, 10013, "consumer name already in use");
/// 10014: consumer not found
pub const CONSUMER_NOT_FOUND: ApiError = ApiError::fixed(404, 10014, "consumer not found");
/// 10015: deliver subject not valid
pub const SNAPSHOT_DELIVER_SUBJECT_INVALID: ApiError =
    ApiError::fixed(400, 10015, "deliver subject not valid");
/// 10016: consumer expected to be durable but no durable name set in subject
pub const CONSUMER_DURABLE_NAME_NOT_IN_SUBJECT: ApiError = ApiError::fixed(
    400,
    10016,
    "consumer expected to be durable but no durable name set in subject",
);
/// 10017: consumer name in subject does not match durable name in request
pub const CONSUMER_DURABLE_NAME_NOT_MATCH_SUBJECT: ApiError = ApiError::fixed(
    400,
    10017,
    "consumer name in subject does not match durable name in request",
);
/// 10018: consumer expected to be durable but a durable name was not set
pub const CONSUMER_DURABLE_NAME_NOT_SET: ApiError = ApiError::fixed(
    400,
    10018,
    "consumer expected to be durable but a durable name was not set",
);
/// 10019: consumer expected to be ephemeral but detected a durable name set in subject
pub const CONSUMER_EPHEMERAL_WITH_DURABLE_IN_SUBJECT: ApiError = ApiError::fixed(
    400,
    10019,
    "consumer expected to be ephemeral but detected a durable name set in subject",
);
/// 10020: consumer expected to be ephemeral but a durable name was set in request
pub const CONSUMER_EPHEMERAL_WITH_DURABLE_NAME: ApiError = ApiError::fixed(
    400,
    10020,
    "consumer expected to be ephemeral but a durable name was set in request",
);
/// 10023: insufficient resources
pub const INSUFFICIENT_RESOURCES: ApiError = ApiError::fixed(503, 10023, "insufficient resources");
/// 10026: maximum consumers limit reached
pub const MAXIMUM_CONSUMERS_LIMIT: ApiError = ApiError::fixed(400, 10026, "maximum consumers limit reached");
/// 10027: maximum number of streams reached
pub const MAXIMUM_STREAMS_LIMIT: ApiError = ApiError::fixed(400, 10027, "maximum number of streams reached");
/// 10028: insufficient memory resources available
pub const MEMORY_RESOURCES_EXCEEDED: ApiError =
    ApiError::fixed(500, 10028, "insufficient memory resources available");
/// 10030: stream mirror must have max message size >= source
pub const MIRROR_MAX_MESSAGE_SIZE_TOO_BIG: ApiError =
    ApiError::fixed(400, 10030, "stream mirror must have max message size >= source");
/// 10031: stream mirrors can not also contain other sources
pub const MIRROR_WITH_SOURCES: ApiError =
    ApiError::fixed(400, 10031, "stream mirrors can not also contain other sources");
/// 10032: stream mirrors can not have both start seq and start time configured
pub const MIRROR_WITH_START_SEQ_AND_TIME: ApiError = ApiError::fixed(
    400,
    10032,
    "stream mirrors can not have both start seq and start time configured",
);
/// 10033: stream mirrors can not contain filtered subjects
pub const MIRROR_WITH_SUBJECT_FILTERS: ApiError =
    ApiError::fixed(400, 10033, "stream mirrors can not contain filtered subjects");
/// 10034: stream mirrors can not contain subjects
pub const MIRROR_WITH_SUBJECTS: ApiError =
    ApiError::fixed(400, 10034, "stream mirrors can not contain subjects");
/// 10035: account not found
pub const NO_ACCOUNT: ApiError = ApiError::fixed(503, 10035, "account not found");
/// 10036: not currently supported in clustered mode
pub const CLUSTER_UN_SUPPORT_FEATURE: ApiError =
    ApiError::fixed(503, 10036, "not currently supported in clustered mode");
/// 10037: no message found
pub const NO_MESSAGE_FOUND: ApiError = ApiError::fixed(404, 10037, "no message found");
/// 10038: expected an empty request payload
pub const NOT_EMPTY_REQUEST: ApiError = ApiError::fixed(400, 10038, "expected an empty request payload");
/// 10039: JetStream not enabled for account
pub const NOT_ENABLED_FOR_ACCOUNT: ApiError =
    ApiError::fixed(503, 10039, "JetStream not enabled for account");
/// 10040: peer not a member
pub const CLUSTER_PEER_NOT_MEMBER: ApiError = ApiError::fixed(400, 10040, "peer not a member");
/// 10044: server is not a member of the cluster
pub const CLUSTER_SERVER_NOT_MEMBER: ApiError =
    ApiError::fixed(400, 10044, "server is not a member of the cluster");
/// 10046: stream source must have max message size >= target
pub const SOURCE_MAX_MESSAGE_SIZE_TOO_BIG: ApiError =
    ApiError::fixed(400, 10046, "stream source must have max message size >= target");
/// 10047: insufficient storage resources available
pub const STORAGE_RESOURCES_EXCEEDED: ApiError =
    ApiError::fixed(500, 10047, "insufficient storage resources available");
/// 10054: message size exceeds maximum allowed
pub const STREAM_MESSAGE_EXCEEDS_MAXIMUM: ApiError =
    ApiError::fixed(400, 10054, "message size exceeds maximum allowed");
/// 10055: stream mirror configuration can not be updated
pub const STREAM_MIRROR_NOT_UPDATABLE: ApiError =
    ApiError::fixed(400, 10055, "stream mirror configuration can not be updated");
/// 10056: stream name in subject does not match request
pub const STREAM_MISMATCH: ApiError =
    ApiError::fixed(400, 10056, "stream name in subject does not match request");
/// 10058: stream name already in use with a different configuration
pub const STREAM_NAME_EXIST: ApiError = ApiError::fixed(
    400,
    10058,
    "stream name already in use with a different configuration",
);
/// 10059: stream not found
pub const STREAM_NOT_FOUND: ApiError = ApiError::fixed(404, 10059, "stream not found");
/// 10060: expected stream does not match
pub const STREAM_NOT_MATCH: ApiError = ApiError::fixed(400, 10060, "expected stream does not match");
/// 10061: Replicas configuration can not be updated
pub const STREAM_REPLICAS_NOT_UPDATABLE: ApiError =
    ApiError::fixed(400, 10061, "Replicas configuration can not be updated");
/// 10063: expected stream sequence does not match
pub const STREAM_SEQUENCE_NOT_MATCH: ApiError =
    ApiError::fixed(503, 10063, "expected stream sequence does not match");
/// 10065: subjects overlap with an existing stream
pub const STREAM_SUBJECT_OVERLAP: ApiError =
    ApiError::fixed(400, 10065, "subjects overlap with an existing stream");
/// 10068: template not found
pub const STREAM_TEMPLATE_NOT_FOUND: ApiError = ApiError::fixed(404, 10068, "template not found");
/// 10072: JetStream unable to open temp storage for restore
pub const TEMP_STORAGE_FAILED: ApiError =
    ApiError::fixed(500, 10072, "JetStream unable to open temp storage for restore");
/// 10073: template name in subject does not match request
pub const TEMPLATE_NAME_NOT_MATCH_SUBJECT: ApiError =
    ApiError::fixed(400, 10073, "template name in subject does not match request");
/// 10074: replicas > 1 not supported in non-clustered mode
pub const STREAM_REPLICAS_NOT_SUPPORTED: ApiError =
    ApiError::fixed(500, 10074, "replicas > 1 not supported in non-clustered mode");
/// 10075: peer remap failed
pub const PEER_REMAP: ApiError = ApiError::fixed(503, 10075, "peer remap failed");
/// 10076: JetStream not enabled
pub const NOT_ENABLED: ApiError = ApiError::fixed(503, 10076, "JetStream not enabled");
/// 10078: consumer config required
pub const CONSUMER_CONFIG_REQUIRED: ApiError = ApiError::fixed(400, 10078, "consumer config required");
/// 10079: consumer deliver subject has wildcards
pub const CONSUMER_DELIVER_TO_WILDCARDS: ApiError =
    ApiError::fixed(400, 10079, "consumer deliver subject has wildcards");
/// 10080: consumer in push mode can not set max waiting
pub const CONSUMER_PUSH_MAX_WAITING: ApiError =
    ApiError::fixed(400, 10080, "consumer in push mode can not set max waiting");
/// 10081: consumer deliver subject forms a cycle
pub const CONSUMER_DELIVER_CYCLE: ApiError =
    ApiError::fixed(400, 10081, "consumer deliver subject forms a cycle");
/// 10082: consumer requires ack policy for max ack pending
pub const CONSUMER_MAX_PENDING_ACK_POLICY_REQUIRED: ApiError =
    ApiError::fixed(400, 10082, "consumer requires ack policy for max ack pending");
/// 10083: consumer idle heartbeat needs to be >= 100ms
pub const CONSUMER_SMALL_HEARTBEAT: ApiError =
    ApiError::fixed(400, 10083, "consumer idle heartbeat needs to be >= 100ms");
/// 10084: consumer in pull mode requires explicit ack policy on workqueue stream
pub const CONSUMER_PULL_REQUIRES_ACK: ApiError = ApiError::fixed(
    400,
    10084,
    "consumer in pull mode requires explicit ack policy on workqueue stream",
);
/// 10085: consumer in pull mode requires a durable name
pub const CONSUMER_PULL_NOT_DURABLE: ApiError =
    ApiError::fixed(400, 10085, "consumer in pull mode requires a durable name");
/// 10086: consumer in pull mode can not have rate limit set
pub const CONSUMER_PULL_WITH_RATE_LIMIT: ApiError =
    ApiError::fixed(400, 10086, "consumer in pull mode can not have rate limit set");
/// 10087: consumer max waiting needs to be positive
pub const CONSUMER_MAX_WAITING_NEGATIVE: ApiError =
    ApiError::fixed(400, 10087, "consumer max waiting needs to be positive");
/// 10088: consumer idle heartbeat requires a push based consumer
pub const CONSUMER_HB_REQUIRES_PUSH: ApiError = ApiError::fixed(
    400,
    10088,
    "consumer idle heartbeat requires a push based consumer",
);
/// 10089: consumer flow control requires a push based consumer
pub const CONSUMER_FC_REQUIRES_PUSH: ApiError =
    ApiError::fixed(400, 10089, "consumer flow control requires a push based consumer");
/// 10090: consumer direct requires a push based consumer
pub const CONSUMER_DIRECT_REQUIRES_PUSH: ApiError =
    ApiError::fixed(400, 10090, "consumer direct requires a push based consumer");
/// 10091: consumer direct requires an ephemeral consumer
pub const CONSUMER_DIRECT_REQUIRES_EPHEMERAL: ApiError =
    ApiError::fixed(400, 10091, "consumer direct requires an ephemeral consumer");
/// 10092: consumer direct on a mapped consumer
pub const CONSUMER_ON_MAPPED: ApiError = ApiError::fixed(400, 10092, "consumer direct on a mapped consumer");
/// 10093: consumer filter subject is not a valid subset of the interest subjects
pub const CONSUMER_FILTER_NOT_SUBSET: ApiError = ApiError::fixed(
    400,
    10093,
    "consumer filter subject is not a valid subset of the interest subjects",
);
/// 10096: stream not valid
pub const STREAM_INVALID: ApiError = ApiError::fixed(500, 10096, "stream not valid");
/// 10097: header size exceeds maximum allowed of 64k
pub const STREAM_HEADER_EXCEEDS_MAXIMUM: ApiError =
    ApiError::fixed(400, 10097, "header size exceeds maximum allowed of 64k");
/// 10098: workqueue stream requires explicit ack
pub const CONSUMER_WQ_REQUIRES_EXPLICIT_ACK: ApiError =
    ApiError::fixed(400, 10098, "workqueue stream requires explicit ack");
/// 10099: multiple non-filtered consumers not allowed on workqueue stream
pub const CONSUMER_WQ_MULTIPLE_UNFILTERED: ApiError = ApiError::fixed(
    400,
    10099,
    "multiple non-filtered consumers not allowed on workqueue stream",
);
/// 10100: filtered consumer not unique on workqueue stream
pub const CONSUMER_WQ_CONSUMER_NOT_UNIQUE: ApiError =
    ApiError::fixed(400, 10100, "filtered consumer not unique on workqueue stream");
/// 10101: consumer must be deliver all on workqueue stream
pub const CONSUMER_WQ_CONSUMER_NOT_DELIVER_ALL: ApiError =
    ApiError::fixed(400, 10101, "consumer must be deliver all on workqueue stream");
/// 10103: durable name can not contain '.', '*', '>'
pub const CONSUMER_BAD_DURABLE_NAME: ApiError =
    ApiError::fixed(400, 10103, "durable name can not contain '.', '*', '>'");
/// 10105: consumer already exists and is still active
pub const CONSUMER_EXISTING_ACTIVE: ApiError =
    ApiError::fixed(400, 10105, "consumer already exists and is still active");
/// 10106: consumer replacement durable config not the same
pub const CONSUMER_REPLACEMENT_WITH_DIFFERENT_NAME: ApiError =
    ApiError::fixed(400, 10106, "consumer replacement durable config not the same");
/// 10108: consumer with flow control also needs heartbeats
pub const CONSUMER_WITH_FLOW_CONTROL_NEEDS_HEARTBEATS: ApiError =
    ApiError::fixed(400, 10108, "consumer with flow control also needs heartbeats");
/// 10109: invalid operation on sealed stream
pub const STREAM_SEALED: ApiError = ApiError::fixed(400, 10109, "invalid operation on sealed stream");
/// 10112: invalid push consumer deliver subject
pub const CONSUMER_INVALID_DELIVER_SUBJECT: ApiError =
    ApiError::fixed(400, 10112, "invalid push consumer deliver subject");
/// 10113: account requires a stream config to have max bytes set
pub const STREAM_MAX_BYTES_REQUIRED: ApiError = ApiError::fixed(
    400,
    10113,
    "account requires a stream config to have max bytes set",
);
/// 10114: consumer max request batch needs to be > 0
pub const CONSUMER_MAX_REQUEST_BATCH_NEGATIVE: ApiError =
    ApiError::fixed(400, 10114, "consumer max request batch needs to be > 0");
/// 10115: consumer max request expires needs to be >= 1ms
pub const CONSUMER_MAX_REQUEST_EXPIRES_TOO_SMALL: ApiError =
    ApiError::fixed(400, 10115, "consumer max request expires needs to be >= 1ms");
/// 10116: max deliver is required to be > length of backoff values
pub const CONSUMER_MAX_DELIVER_BACKOFF: ApiError = ApiError::fixed(
    400,
    10116,
    "max deliver is required to be > length of backoff values",
);
/// 10117: subject details would exceed maximum allowed
pub const STREAM_INFO_MAX_SUBJECTS: ApiError =
    ApiError::fixed(500, 10117, "subject details would exceed maximum allowed");
/// 10118: stream is offline
pub const STREAM_OFFLINE: ApiError = ApiError::fixed(500, 10118, "stream is offline");
/// 10119: consumer is offline
pub const CONSUMER_OFFLINE: ApiError = ApiError::fixed(500, 10119, "consumer is offline");
/// 10120: no JetStream default or applicable tiered limit present
pub const NO_LIMITS: ApiError = ApiError::fixed(
    400,
    10120,
    "no JetStream default or applicable tiered limit present",
);
/// 10122: stream max bytes exceeds account limit max stream bytes
pub const STREAM_MAX_STREAM_BYTES_EXCEEDED: ApiError = ApiError::fixed(
    400,
    10122,
    "stream max bytes exceeds account limit max stream bytes",
);
/// 10123: can not move and scale a stream in a single update
pub const STREAM_MOVE_AND_SCALE: ApiError =
    ApiError::fixed(400, 10123, "can not move and scale a stream in a single update");
/// 10124: stream move already in progress
pub const STREAM_MOVE_IN_PROGRESS: ApiError = ApiError::fixed(400, 10124, "stream move already in progress");
/// 10126: consumer config replica count exceeds parent stream
pub const CONSUMER_REPLICAS_EXCEEDS_STREAM: ApiError =
    ApiError::fixed(400, 10126, "consumer config replica count exceeds parent stream");
/// 10127: Consumer name can not contain path separators
pub const CONSUMER_NAME_CONTAINS_PATH_SEPARATORS: ApiError =
    ApiError::fixed(400, 10127, "Consumer name can not contain path separators");
/// 10128: Stream name can not contain path separators
pub const STREAM_NAME_CONTAINS_PATH_SEPARATORS: ApiError =
    ApiError::fixed(400, 10128, "Stream name can not contain path separators");
/// 10129: stream reconfiguration not in progress
pub const STREAM_RECONFIGURE_NOT_IN_PROGRESS: ApiError =
    ApiError::fixed(400, 10129, "stream reconfiguration not in progress");
/// 10130: stream name already in use, cannot restore
pub const STREAM_NAME_EXIST_RESTORE_FAILED: ApiError =
    ApiError::fixed(400, 10130, "stream name already in use, cannot restore");
/// 10131: Consumer create request did not match filtered subject from create subject
pub const CONSUMER_CREATE_FILTER_SUBJECT_MISMATCH: ApiError = ApiError::fixed(
    400,
    10131,
    "Consumer create request did not match filtered subject from create subject",
);
/// 10132: Consumer Durable and Name have to be equal if both are provided
pub const CONSUMER_CREATE_DURABLE_AND_NAME_MISMATCH: ApiError = ApiError::fixed(
    400,
    10132,
    "Consumer Durable and Name have to be equal if both are provided",
);
/// 10133: replicas count cannot be negative
pub const REPLICAS_COUNT_CANNOT_BE_NEGATIVE: ApiError =
    ApiError::fixed(400, 10133, "replicas count cannot be negative");
/// 10134: consumer config replicas must match interest retention stream's replicas
pub const CONSUMER_REPLICAS_SHOULD_MATCH_STREAM: ApiError = ApiError::fixed(
    400,
    10134,
    "consumer config replicas must match interest retention stream's replicas",
);
/// 10136: consumer cannot have both FilterSubject and FilterSubjects specified
pub const CONSUMER_DUPLICATE_FILTER_SUBJECTS: ApiError = ApiError::fixed(
    400,
    10136,
    "consumer cannot have both FilterSubject and FilterSubjects specified",
);
/// 10137: consumer with multiple subject filters cannot use subject based API
pub const CONSUMER_MULTIPLE_FILTERS_NOT_ALLOWED: ApiError = ApiError::fixed(
    400,
    10137,
    "consumer with multiple subject filters cannot use subject based API",
);
/// 10138: consumer subject filters cannot overlap
pub const CONSUMER_OVERLAPPING_SUBJECT_FILTERS: ApiError =
    ApiError::fixed(400, 10138, "consumer subject filters cannot overlap");
/// 10139: consumer filter in FilterSubjects cannot be empty
pub const CONSUMER_EMPTY_FILTER: ApiError =
    ApiError::fixed(400, 10139, "consumer filter in FilterSubjects cannot be empty");
/// 10140: duplicate source configuration detected
pub const SOURCE_DUPLICATE_DETECTED: ApiError =
    ApiError::fixed(400, 10140, "duplicate source configuration detected");
/// 10141: sourced stream name is invalid
pub const SOURCE_INVALID_STREAM_NAME: ApiError =
    ApiError::fixed(400, 10141, "sourced stream name is invalid");
/// 10142: mirrored stream name is invalid
pub const MIRROR_INVALID_STREAM_NAME: ApiError =
    ApiError::fixed(400, 10142, "mirrored stream name is invalid");
/// 10143: stream mirrors can not have first sequence configured
pub const MIRROR_WITH_FIRST_SEQ: ApiError = ApiError::fixed(
    400,
    10143,
    "stream mirrors can not have first sequence configured",
);
/// 10144: source with multiple subject transforms cannot also have a single subject filter
pub const SOURCE_MULTIPLE_FILTERS_NOT_ALLOWED: ApiError = ApiError::fixed(
    400,
    10144,
    "source with multiple subject transforms cannot also have a single subject filter",
);
/// 10147: source filters can not overlap
pub const SOURCE_OVERLAPPING_SUBJECT_FILTERS: ApiError =
    ApiError::fixed(400, 10147, "source filters can not overlap");
/// 10148: consumer already exists
pub const CONSUMER_ALREADY_EXISTS: ApiError = ApiError::fixed(400, 10148, "consumer already exists");
/// 10149: consumer does not exist
pub const CONSUMER_DOES_NOT_EXIST: ApiError = ApiError::fixed(400, 10149, "consumer does not exist");
/// 10150: mirror with multiple subject transforms cannot also have a single subject filter
pub const MIRROR_MULTIPLE_FILTERS_NOT_ALLOWED: ApiError = ApiError::fixed(
    400,
    10150,
    "mirror with multiple subject transforms cannot also have a single subject filter",
);
/// 10152: mirror subject filters can not overlap
pub const MIRROR_OVERLAPPING_SUBJECT_FILTERS: ApiError =
    ApiError::fixed(400, 10152, "mirror subject filters can not overlap");
/// 10158: duplicate message id is in process
pub const STREAM_DUPLICATE_MESSAGE_CONFLICT: ApiError =
    ApiError::fixed(409, 10158, "duplicate message id is in process");
/// 10159: Setting PriorityPolicy requires at least one PriorityGroup to be set
pub const CONSUMER_PRIORITY_POLICY_WITHOUT_GROUP: ApiError = ApiError::fixed(
    400,
    10159,
    "Setting PriorityPolicy requires at least one PriorityGroup to be set",
);
/// 10160: Provided priority group does not exist for this consumer
pub const CONSUMER_INVALID_PRIORITY_GROUP: ApiError = ApiError::fixed(
    400,
    10160,
    "Provided priority group does not exist for this consumer",
);
/// 10161: Group name cannot be an empty string
pub const CONSUMER_EMPTY_GROUP_NAME: ApiError =
    ApiError::fixed(400, 10161, "Group name cannot be an empty string");
/// 10162: Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters
pub const CONSUMER_INVALID_GROUP_NAME: ApiError = ApiError::fixed(
    400,
    10162,
    "Valid priority group name must match A-Z, a-z, 0-9, -_/=)+ and may not exceed 16 characters",
);
/// 10163: expected last sequence per subject temporarily unavailable
pub const STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_NOT_READY: ApiError = ApiError::fixed(
    503,
    10163,
    "expected last sequence per subject temporarily unavailable",
);
/// 10164: wrong last sequence
pub const STREAM_WRONG_LAST_SEQUENCE_CONSTANT: ApiError = ApiError::fixed(400, 10164, "wrong last sequence");
/// 10165: invalid per-message TTL
pub const MESSAGE_TTL_INVALID: ApiError = ApiError::fixed(400, 10165, "invalid per-message TTL");
/// 10166: per-message TTL is disabled
pub const MESSAGE_TTL_DISABLED: ApiError = ApiError::fixed(400, 10166, "per-message TTL is disabled");
/// 10167: too many requests
pub const STREAM_TOO_MANY_REQUESTS: ApiError = ApiError::fixed(429, 10167, "too many requests");
/// 10168: message counters is disabled
pub const MESSAGE_INCR_DISABLED: ApiError = ApiError::fixed(400, 10168, "message counters is disabled");
/// 10169: message counter increment is missing
pub const MESSAGE_INCR_MISSING: ApiError =
    ApiError::fixed(400, 10169, "message counter increment is missing");
/// 10170: message counter has payload
pub const MESSAGE_INCR_PAYLOAD: ApiError = ApiError::fixed(400, 10170, "message counter has payload");
/// 10171: message counter increment is invalid
pub const MESSAGE_INCR_INVALID: ApiError =
    ApiError::fixed(400, 10171, "message counter increment is invalid");
/// 10172: message counter is broken
pub const MESSAGE_COUNTER_BROKEN: ApiError = ApiError::fixed(400, 10172, "message counter is broken");
/// 10173: stream mirrors can not also calculate counters
pub const MIRROR_WITH_COUNTERS: ApiError =
    ApiError::fixed(400, 10173, "stream mirrors can not also calculate counters");
/// 10174: atomic publish is disabled
pub const ATOMIC_PUBLISH_DISABLED: ApiError = ApiError::fixed(400, 10174, "atomic publish is disabled");
/// 10175: atomic publish sequence is missing
pub const ATOMIC_PUBLISH_MISSING_SEQ: ApiError =
    ApiError::fixed(400, 10175, "atomic publish sequence is missing");
/// 10176: atomic publish batch is incomplete
pub const ATOMIC_PUBLISH_INCOMPLETE_BATCH: ApiError =
    ApiError::fixed(400, 10176, "atomic publish batch is incomplete");
/// 10178: priority groups can not be used with push consumers
pub const CONSUMER_PUSH_WITH_PRIORITY_GROUP: ApiError =
    ApiError::fixed(400, 10178, "priority groups can not be used with push consumers");
/// 10179: atomic publish batch ID is invalid
pub const ATOMIC_PUBLISH_INVALID_BATCH_ID: ApiError =
    ApiError::fixed(400, 10179, "atomic publish batch ID is invalid");
/// 10180: min last sequence
pub const STREAM_MIN_LAST_SEQ: ApiError = ApiError::fixed(412, 10180, "min last sequence");
/// 10181: consumer ack policy invalid
pub const CONSUMER_ACK_POLICY_INVALID: ApiError = ApiError::fixed(400, 10181, "consumer ack policy invalid");
/// 10182: consumer replay policy invalid
pub const CONSUMER_REPLAY_POLICY_INVALID: ApiError =
    ApiError::fixed(400, 10182, "consumer replay policy invalid");
/// 10183: consumer ack wait needs to be positive
pub const CONSUMER_ACK_WAIT_NEGATIVE: ApiError =
    ApiError::fixed(400, 10183, "consumer ack wait needs to be positive");
/// 10184: consumer backoff needs to be positive
pub const CONSUMER_BACK_OFF_NEGATIVE: ApiError =
    ApiError::fixed(400, 10184, "consumer backoff needs to be positive");
/// 10185: JetStream minimum api level required
pub const REQUIRED_API_LEVEL: ApiError = ApiError::fixed(412, 10185, "JetStream minimum api level required");
/// 10186: stream mirrors can not also schedule messages
pub const MIRROR_WITH_MSG_SCHEDULES: ApiError =
    ApiError::fixed(400, 10186, "stream mirrors can not also schedule messages");
/// 10187: stream source can not also schedule messages
pub const SOURCE_WITH_MSG_SCHEDULES: ApiError =
    ApiError::fixed(400, 10187, "stream source can not also schedule messages");
/// 10188: message schedules is disabled
pub const MESSAGE_SCHEDULES_DISABLED: ApiError = ApiError::fixed(400, 10188, "message schedules is disabled");
/// 10189: message schedules pattern is invalid
pub const MESSAGE_SCHEDULES_PATTERN_INVALID: ApiError =
    ApiError::fixed(400, 10189, "message schedules pattern is invalid");
/// 10190: message schedules target is invalid
pub const MESSAGE_SCHEDULES_TARGET_INVALID: ApiError =
    ApiError::fixed(400, 10190, "message schedules target is invalid");
/// 10191: message schedules invalid per-message TTL
pub const MESSAGE_SCHEDULES_TTL_INVALID: ApiError =
    ApiError::fixed(400, 10191, "message schedules invalid per-message TTL");
/// 10192: message schedules invalid rollup
pub const MESSAGE_SCHEDULES_ROLLUP_INVALID: ApiError =
    ApiError::fixed(400, 10192, "message schedules invalid rollup");
/// 10193: missing sequence for expected last sequence per subject
pub const STREAM_EXPECTED_LAST_SEQ_PER_SUBJECT_INVALID: ApiError = ApiError::fixed(
    400,
    10193,
    "missing sequence for expected last sequence per subject",
);
/// 10196: consumer can not have priority groups when policy is none
pub const CONSUMER_PRIORITY_GROUP_WITH_POLICY_NONE: ApiError = ApiError::fixed(
    400,
    10196,
    "consumer can not have priority groups when policy is none",
);
/// 10197: PinnedTTL cannot be set when PriorityPolicy is none
pub const CONSUMER_PINNED_TTL_WITHOUT_PRIORITY_POLICY_NONE: ApiError =
    ApiError::fixed(400, 10197, "PinnedTTL cannot be set when PriorityPolicy is none");
/// 10198: stream mirrors can not also use atomic publishing
pub const MIRROR_WITH_ATOMIC_PUBLISH: ApiError =
    ApiError::fixed(400, 10198, "stream mirrors can not also use atomic publishing");
/// 10200: atomic publish batch commit is invalid
pub const ATOMIC_PUBLISH_INVALID_BATCH_COMMIT: ApiError =
    ApiError::fixed(400, 10200, "atomic publish batch commit is invalid");
/// 10201: atomic publish batch contains duplicate message id
pub const ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE: ApiError =
    ApiError::fixed(400, 10201, "atomic publish batch contains duplicate message id");
/// 10202: cluster member change is in progress
pub const CLUSTER_SERVER_MEMBER_CHANGE_INFLIGHT: ApiError =
    ApiError::fixed(400, 10202, "cluster member change is in progress");
/// 10203: message schedules source is invalid
pub const MESSAGE_SCHEDULES_SOURCE_INVALID: ApiError =
    ApiError::fixed(400, 10203, "message schedules source is invalid");
/// 10205: batch publish is disabled
pub const BATCH_PUBLISH_DISABLED: ApiError = ApiError::fixed(400, 10205, "batch publish is disabled");
/// 10206: batch publish pattern is invalid
pub const BATCH_PUBLISH_INVALID_PATTERN: ApiError =
    ApiError::fixed(400, 10206, "batch publish pattern is invalid");
/// 10207: batch publish ID is invalid
pub const BATCH_PUBLISH_INVALID_BATCH_ID: ApiError =
    ApiError::fixed(400, 10207, "batch publish ID is invalid");
/// 10208: batch publish ID unknown
pub const BATCH_PUBLISH_UNKNOWN_BATCH_ID: ApiError = ApiError::fixed(400, 10208, "batch publish ID unknown");
/// 10209: stream mirrors can not also use batch publishing
pub const MIRROR_WITH_BATCH_PUBLISH: ApiError =
    ApiError::fixed(400, 10209, "stream mirrors can not also use batch publishing");
/// 10210: atomic publish too many inflight
pub const ATOMIC_PUBLISH_TOO_MANY_INFLIGHT: ApiError =
    ApiError::fixed(429, 10210, "atomic publish too many inflight");
/// 10211: batch publish too many inflight
pub const BATCH_PUBLISH_TOO_MANY_INFLIGHT: ApiError =
    ApiError::fixed(429, 10211, "batch publish too many inflight");
/// 10212: message schedules invalid scheduler
pub const MESSAGE_SCHEDULES_SCHEDULER_INVALID: ApiError =
    ApiError::fixed(400, 10212, "message schedules invalid scheduler");
/// 10213: stream mirror consumer config is invalid
pub const MIRROR_DURABLE_CONSUMER_CFG_INVALID: ApiError =
    ApiError::fixed(400, 10213, "stream mirror consumer config is invalid");
/// 10214: stream mirror consumer requires flow control ack policy
pub const MIRROR_CONSUMER_REQUIRES_ACK_FC: ApiError = ApiError::fixed(
    400,
    10214,
    "stream mirror consumer requires flow control ack policy",
);
/// 10215: stream source consumer config is invalid
pub const SOURCE_DURABLE_CONSUMER_CFG_INVALID: ApiError =
    ApiError::fixed(400, 10215, "stream source consumer config is invalid");
/// 10216: duplicate stream source consumer detected
pub const SOURCE_DURABLE_CONSUMER_DUPLICATE_DETECTED: ApiError =
    ApiError::fixed(400, 10216, "duplicate stream source consumer detected");
/// 10217: stream source consumer requires flow control ack policy
pub const SOURCE_CONSUMER_REQUIRES_ACK_FC: ApiError = ApiError::fixed(
    400,
    10217,
    "stream source consumer requires flow control ack policy",
);
/// 10218: flow control ack policy requires a push based consumer
pub const CONSUMER_ACK_FC_REQUIRES_PUSH: ApiError = ApiError::fixed(
    400,
    10218,
    "flow control ack policy requires a push based consumer",
);
/// 10219: flow control ack policy requires flow control
pub const CONSUMER_ACK_FC_REQUIRES_FC: ApiError =
    ApiError::fixed(400, 10219, "flow control ack policy requires flow control");
/// 10220: flow control ack policy requires max ack pending
pub const CONSUMER_ACK_FC_REQUIRES_MAX_ACK_PENDING: ApiError =
    ApiError::fixed(400, 10220, "flow control ack policy requires max ack pending");
/// 10221: flow control ack policy requires unset ack wait
pub const CONSUMER_ACK_FC_REQUIRES_NO_ACK_WAIT: ApiError =
    ApiError::fixed(400, 10221, "flow control ack policy requires unset ack wait");
/// 10222: flow control ack policy requires unset max deliver
pub const CONSUMER_ACK_FC_REQUIRES_NO_MAX_DELIVER: ApiError =
    ApiError::fixed(400, 10222, "flow control ack policy requires unset max deliver");
/// 10223: message schedules time zone is invalid
pub const MESSAGE_SCHEDULES_TIME_ZONE_INVALID: ApiError =
    ApiError::fixed(400, 10223, "message schedules time zone is invalid");
/// 10226: stream reconfiguration already in progress
pub const STREAM_RECONFIGURE_IN_PROGRESS: ApiError =
    ApiError::fixed(400, 10226, "stream reconfiguration already in progress");
/// 10227: message stream source header is not allowed
pub const MESSAGE_SOURCE_HDR_NOT_ALLOWED: ApiError =
    ApiError::fixed(400, 10227, "message stream source header is not allowed");

/// 10005: `{err}`
#[must_use]
pub fn cluster_no_peers(err: impl Display) -> ApiError {
    ApiError::made(400, 10005, format!("{err}"))
}

/// 10012: `{err}`
#[must_use]
pub fn consumer_create(err: impl Display) -> ApiError {
    ApiError::made(500, 10012, format!("{err}"))
}

/// 10021: stream external api prefix `{prefix}` must not overlap with `{subject}`
#[must_use]
pub fn stream_external_api_overlap(prefix: impl Display, subject: impl Display) -> ApiError {
    ApiError::made(
        400,
        10021,
        format!("stream external api prefix {prefix} must not overlap with {subject}"),
    )
}

/// 10022: stream external delivery prefix `{prefix}` overlaps with stream subject `{subject}`
#[must_use]
pub fn stream_external_del_prefix_overlaps(prefix: impl Display, subject: impl Display) -> ApiError {
    ApiError::made(
        400,
        10022,
        format!("stream external delivery prefix {prefix} overlaps with stream subject {subject}"),
    )
}

/// 10024: stream external delivery prefix `{prefix}` must not contain wildcards
#[must_use]
pub fn stream_invalid_external_delivery_subj(prefix: impl Display) -> ApiError {
    ApiError::made(
        400,
        10024,
        format!("stream external delivery prefix {prefix} must not contain wildcards"),
    )
}

/// 10025: invalid JSON: `{err}`
#[must_use]
pub fn invalid_json(err: impl Display) -> ApiError {
    ApiError::made(400, 10025, format!("invalid JSON: {err}"))
}

/// 10029: `{err}`
#[must_use]
pub fn mirror_consumer_setup_failed(err: impl Display) -> ApiError {
    ApiError::made(500, 10029, format!("{err}"))
}

/// 10041: `{err}`
#[must_use]
pub fn raft_general(err: impl Display) -> ApiError {
    ApiError::made(500, 10041, format!("{err}"))
}

/// 10042: JetStream unable to subscribe to restore snapshot `{subject}`: `{err}`
#[must_use]
pub fn restore_subscribe_failed(subject: impl Display, err: impl Display) -> ApiError {
    ApiError::made(
        500,
        10042,
        format!("JetStream unable to subscribe to restore snapshot {subject}: {err}"),
    )
}

/// 10043: sequence `{seq}` not found
#[must_use]
pub fn sequence_not_found(seq: impl Display) -> ApiError {
    ApiError::made(400, 10043, format!("sequence {seq} not found"))
}

/// 10045: `{err}`
#[must_use]
pub fn source_consumer_setup_failed(err: impl Display) -> ApiError {
    ApiError::made(500, 10045, format!("{err}"))
}

/// 10048: `{err}`
#[must_use]
pub fn stream_assignment(err: impl Display) -> ApiError {
    ApiError::made(500, 10048, format!("{err}"))
}

/// 10049: `{err}`
#[must_use]
pub fn stream_create(err: impl Display) -> ApiError {
    ApiError::made(500, 10049, format!("{err}"))
}

/// 10050: `{err}`
#[must_use]
pub fn stream_delete(err: impl Display) -> ApiError {
    ApiError::made(500, 10050, format!("{err}"))
}

/// 10051: `{err}`
#[must_use]
pub fn stream_general(err: impl Display) -> ApiError {
    ApiError::made(500, 10051, format!("{err}"))
}

/// 10052: `{err}`
#[must_use]
pub fn stream_invalid_config(err: impl Display) -> ApiError {
    ApiError::made(500, 10052, format!("{err}"))
}

/// 10053: `{err}`
#[must_use]
pub fn stream_limits(err: impl Display) -> ApiError {
    ApiError::made(500, 10053, format!("{err}"))
}

/// 10057: `{err}`
#[must_use]
pub fn stream_msg_delete_failed(err: impl Display) -> ApiError {
    ApiError::made(500, 10057, format!("{err}"))
}

/// 10062: restore failed: `{err}`
#[must_use]
pub fn stream_restore(err: impl Display) -> ApiError {
    ApiError::made(500, 10062, format!("restore failed: {err}"))
}

/// 10064: snapshot failed: `{err}`
#[must_use]
pub fn stream_snapshot(err: impl Display) -> ApiError {
    ApiError::made(500, 10064, format!("snapshot failed: {err}"))
}

/// 10066: `{err}`
#[must_use]
pub fn stream_template_create(err: impl Display) -> ApiError {
    ApiError::made(500, 10066, format!("{err}"))
}

/// 10067: `{err}`
#[must_use]
pub fn stream_template_delete(err: impl Display) -> ApiError {
    ApiError::made(500, 10067, format!("{err}"))
}

/// 10069: `{err}`
#[must_use]
pub fn stream_update(err: impl Display) -> ApiError {
    ApiError::made(500, 10069, format!("{err}"))
}

/// 10070: wrong last msg ID: `{id}`
#[must_use]
pub fn stream_wrong_last_msg_id(id: impl Display) -> ApiError {
    ApiError::made(400, 10070, format!("wrong last msg ID: {id}"))
}

/// 10071: wrong last sequence: `{seq}`
#[must_use]
pub fn stream_wrong_last_sequence(seq: impl Display) -> ApiError {
    ApiError::made(400, 10071, format!("wrong last sequence: {seq}"))
}

/// 10077: `{err}`
#[must_use]
pub fn stream_store_failed(err: impl Display) -> ApiError {
    ApiError::made(503, 10077, format!("{err}"))
}

/// 10094: `{err}`
#[must_use]
pub fn consumer_invalid_policy(err: impl Display) -> ApiError {
    ApiError::made(400, 10094, format!("{err}"))
}

/// 10095: failed to parse consumer sampling configuration: `{err}`
#[must_use]
pub fn consumer_invalid_sampling(err: impl Display) -> ApiError {
    ApiError::made(
        400,
        10095,
        format!("failed to parse consumer sampling configuration: {err}"),
    )
}

/// 10102: consumer name is too long, maximum allowed is `{max}`
#[must_use]
pub fn consumer_name_too_long(max: impl Display) -> ApiError {
    ApiError::made(
        400,
        10102,
        format!("consumer name is too long, maximum allowed is {max}"),
    )
}

/// 10104: error creating store for consumer: `{err}`
#[must_use]
pub fn consumer_store_failed(err: impl Display) -> ApiError {
    ApiError::made(500, 10104, format!("error creating store for consumer: {err}"))
}

/// 10107: consumer description is too long, maximum allowed is `{max}`
#[must_use]
pub fn consumer_description_too_long(max: impl Display) -> ApiError {
    ApiError::made(
        400,
        10107,
        format!("consumer description is too long, maximum allowed is {max}"),
    )
}

/// 10110: `{err}`
#[must_use]
pub fn stream_purge_failed(err: impl Display) -> ApiError {
    ApiError::made(500, 10110, format!("{err}"))
}

/// 10111: `{err}`
#[must_use]
pub fn stream_rollup_failed(err: impl Display) -> ApiError {
    ApiError::made(500, 10111, format!("{err}"))
}

/// 10121: consumer max ack pending exceeds system limit of `{limit}`
#[must_use]
pub fn consumer_max_pending_ack_excess(limit: impl Display) -> ApiError {
    ApiError::made(
        400,
        10121,
        format!("consumer max ack pending exceeds system limit of {limit}"),
    )
}

/// 10125: consumer max request batch exceeds server limit of `{limit}`
#[must_use]
pub fn consumer_max_request_batch_exceeded(limit: impl Display) -> ApiError {
    ApiError::made(
        400,
        10125,
        format!("consumer max request batch exceeds server limit of {limit}"),
    )
}

/// 10135: consumer metadata exceeds maximum size of `{limit}`
#[must_use]
pub fn consumer_metadata_length(limit: impl Display) -> ApiError {
    ApiError::made(
        400,
        10135,
        format!("consumer metadata exceeds maximum size of {limit}"),
    )
}

/// 10145: source transform source: `{err}`
#[must_use]
pub fn source_invalid_subject_filter(err: impl Display) -> ApiError {
    ApiError::made(400, 10145, format!("source transform source: {err}"))
}

/// 10146: source transform: `{err}`
#[must_use]
pub fn source_invalid_transform_destination(err: impl Display) -> ApiError {
    ApiError::made(400, 10146, format!("source transform: {err}"))
}

/// 10151: mirror transform source: `{err}`
#[must_use]
pub fn mirror_invalid_subject_filter(err: impl Display) -> ApiError {
    ApiError::made(400, 10151, format!("mirror transform source: {err}"))
}

/// 10153: consumer inactive threshold exceeds system limit of `{limit}`
#[must_use]
pub fn consumer_inactive_threshold_excess(limit: impl Display) -> ApiError {
    ApiError::made(
        400,
        10153,
        format!("consumer inactive threshold exceeds system limit of {limit}"),
    )
}

/// 10154: mirror transform: `{err}`
#[must_use]
pub fn mirror_invalid_transform_destination(err: impl Display) -> ApiError {
    ApiError::made(400, 10154, format!("mirror transform: {err}"))
}

/// 10155: stream transform source: `{err}`
#[must_use]
pub fn stream_transform_invalid_source(err: impl Display) -> ApiError {
    ApiError::made(400, 10155, format!("stream transform source: {err}"))
}

/// 10156: stream transform: `{err}`
#[must_use]
pub fn stream_transform_invalid_destination(err: impl Display) -> ApiError {
    ApiError::made(400, 10156, format!("stream transform: {err}"))
}

/// 10157: pedantic mode: `{err}`
#[must_use]
pub fn pedantic(err: impl Display) -> ApiError {
    ApiError::made(400, 10157, format!("pedantic mode: {err}"))
}

/// 10177: atomic publish unsupported header used: `{header}`
#[must_use]
pub fn atomic_publish_unsupported_header_batch(header: impl Display) -> ApiError {
    ApiError::made(
        400,
        10177,
        format!("atomic publish unsupported header used: {header}"),
    )
}

/// 10194: stream is offline: `{err}`
#[must_use]
pub fn stream_offline_reason(err: impl Display) -> ApiError {
    ApiError::made(500, 10194, format!("stream is offline: {err}"))
}

/// 10195: consumer is offline: `{err}`
#[must_use]
pub fn consumer_offline_reason(err: impl Display) -> ApiError {
    ApiError::made(500, 10195, format!("consumer is offline: {err}"))
}

/// 10199: atomic publish batch is too large: `{size}`
#[must_use]
pub fn atomic_publish_too_large_batch(size: impl Display) -> ApiError {
    ApiError::made(400, 10199, format!("atomic publish batch is too large: {size}"))
}

/// 10204: invalid reset: `{err}`
#[must_use]
pub fn consumer_invalid_reset(err: impl Display) -> ApiError {
    ApiError::made(400, 10204, format!("invalid reset: {err}"))
}

/// 10224: JetStream system rescue not applied: `{err}`
#[must_use]
pub fn cluster_rescue(err: impl Display) -> ApiError {
    ApiError::made(400, 10224, format!("JetStream system rescue not applied: {err}"))
}

/// 10225: consumer's stream identity does not match: `{msg}`
#[must_use]
pub fn consumer_stream_identity_mismatch(msg: impl Display) -> ApiError {
    ApiError::made(
        400,
        10225,
        format!("consumer's stream identity does not match: {msg}"),
    )
}
