package sink

// Reasons why a block has to be sent again: few, since they are a metric's label.
const (
	reasonOverload    = "overload"    // the server has more work than it can take just now
	reasonMemory      = "memory"      // the server is out of memory
	reasonDisk        = "disk"        // the server's disk is full or failing
	reasonReadOnly    = "read_only"   // the table takes no writes just now
	reasonTimeout     = "timeout"     // the server gave up waiting
	reasonNetwork     = "network"     // the connection broke, or none could be made
	reasonKeeper      = "keeper"      // ClickHouse Keeper is not there
	reasonReplication = "replication" // replicas do not agree yet
	reasonUnknown     = "unknown"     // nobody knows whether the block is stored: the token finds out
	reasonShutdown    = "shutdown"    // the server is stopping or starting
)

// retryable holds the error codes of a ClickHouse server that pass by themselves, each with its name and the reason.
// Codes and names are those of ClickHouse's src/Common/ErrorCodes.cpp; a test compares them with a running server.
var retryable = map[int32]struct{ name, reason string }{
	3:   {"UNEXPECTED_END_OF_FILE", reasonNetwork},
	32:  {"ATTEMPT_TO_READ_AFTER_EOF", reasonNetwork},
	74:  {"CANNOT_READ_FROM_FILE_DESCRIPTOR", reasonDisk},
	75:  {"CANNOT_WRITE_TO_FILE_DESCRIPTOR", reasonDisk},
	95:  {"CANNOT_READ_FROM_SOCKET", reasonNetwork},
	96:  {"CANNOT_WRITE_TO_SOCKET", reasonNetwork},
	159: {"TIMEOUT_EXCEEDED", reasonTimeout},
	160: {"TOO_SLOW", reasonTimeout},
	198: {"DNS_ERROR", reasonNetwork},
	202: {"TOO_MANY_SIMULTANEOUS_QUERIES", reasonOverload},
	203: {"NO_FREE_CONNECTION", reasonOverload},
	204: {"CANNOT_FSYNC", reasonDisk},
	209: {"SOCKET_TIMEOUT", reasonTimeout},
	210: {"NETWORK_ERROR", reasonNetwork},
	225: {"NO_ZOOKEEPER", reasonKeeper},
	236: {"ABORTED", reasonShutdown},
	241: {"MEMORY_LIMIT_EXCEEDED", reasonMemory},
	242: {"TABLE_IS_READ_ONLY", reasonReadOnly},
	243: {"NOT_ENOUGH_SPACE", reasonDisk},
	244: {"UNEXPECTED_ZOOKEEPER_ERROR", reasonKeeper},
	252: {"TOO_MANY_PARTS", reasonOverload},
	254: {"NO_ACTIVE_REPLICAS", reasonReplication},
	279: {"ALL_CONNECTION_TRIES_FAILED", reasonNetwork},
	285: {"TOO_FEW_LIVE_REPLICAS", reasonReplication},
	286: {"UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE", reasonReplication},
	289: {"REPLICA_IS_NOT_IN_QUORUM", reasonReplication},
	319: {"UNKNOWN_STATUS_OF_INSERT", reasonUnknown},
	394: {"QUERY_WAS_CANCELLED", reasonShutdown},
	416: {"REPLICA_STATUS_CHANGED", reasonReplication},
	425: {"SYSTEM_ERROR", reasonOverload},
	439: {"CANNOT_SCHEDULE_TASK", reasonOverload},
	473: {"DEADLOCK_AVOIDED", reasonTimeout},
	499: {"S3_ERROR", reasonDisk},
	519: {"NO_REMOTE_SHARD_AVAILABLE", reasonReplication},
	574: {"DISTRIBUTED_TOO_MANY_PENDING_BYTES", reasonOverload},
	659: {"UNKNOWN_STATUS_OF_TRANSACTION", reasonUnknown},
	677: {"THREAD_WAS_CANCELED", reasonShutdown},
	692: {"TOO_MANY_MUTATIONS", reasonOverload},
	696: {"ASYNC_LOAD_CANCELED", reasonShutdown},
	722: {"ASYNC_LOAD_WAIT_FAILED", reasonShutdown},
	745: {"SERVER_OVERLOADED", reasonOverload},
	904: {"TOO_MANY_UNAVAILABLE_SHARDS", reasonReplication},
	999: {"KEEPER_EXCEPTION", reasonKeeper},
}

// remedies holds, for error codes that do not pass by themselves, the name and what a person can do.
var remedies = map[int32]struct{ name, remedy string }{
	16:  {"NO_SUCH_COLUMN_IN_TABLE", "the tables are older than this ordersync: run `ordersync migrate`"},
	60:  {"UNKNOWN_TABLE", "a table is missing: run `ordersync migrate`"},
	81:  {"UNKNOWN_DATABASE", "the database is missing: run `ordersync migrate`"},
	82:  {"DATABASE_ALREADY_EXISTS", "start again: another process created the database at the same moment"},
	101: {"UNEXPECTED_PACKET_FROM_CLIENT", "something between ordersync and ClickHouse alters the connection: connect directly"},
	115: {"UNKNOWN_SETTING", "the server is too old for this ordersync: upgrade ClickHouse"},
	139: {"NO_ELEMENTS_IN_CONFIG", clusterNeeds},
	164: {"READONLY", "the user may only read: give it a profile with readonly = 0"},
	192: {"UNKNOWN_USER", "set clickhouse.username to a user of the server"},
	193: {"WRONG_PASSWORD", "set clickhouse.password to the user's password"},
	194: {"REQUIRED_PASSWORD", "set clickhouse.password: the user has one"},
	195: {"IP_ADDRESS_NOT_ALLOWED", "allow this host for the user on the server"},
	217: {"CLIENT_HAS_CONNECTED_TO_WRONG_PORT", "give the native port (9000, with TLS 9440) in clickhouse.addr, not the HTTP port"},
	291: {"DATABASE_ACCESS_DENIED", "grant the user access to the database"},
	392: {"QUERY_IS_PROHIBITED", clusterNeeds},
	497: {"ACCESS_DENIED", "grant the user CREATE, ALTER, INSERT and SELECT on the database"},
	516: {"AUTHENTICATION_FAILED", "check clickhouse.username and clickhouse.password"},
	701: {"CLUSTER_DOESNT_EXIST", "clickhouse.cluster must name a cluster of remote_servers: SELECT cluster FROM system.clusters lists them"},
	720: {"USER_EXPIRED", "renew the user on the server"},
}

// clusterNeeds is what to do where a server is not configured as one of a cluster.
const clusterNeeds = "clickhouse.cluster needs ClickHouse Keeper, distributed_ddl, and the macros shard and replica in the configuration of each server"

// stuck holds what a person can do about errors of the table retryable that did not pass by themselves.
var stuck = map[int32]string{
	225: clusterNeeds,
	242: "the replica has no session with ClickHouse Keeper: check Keeper",
	279: "a shard of the cluster does not answer, or lacks a table: start its server; nothing is lost, this run can be repeated then",
	285: "insert_quorum asks for more replicas than answer: start them",
}
