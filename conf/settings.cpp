#include "conf/settings.h"

#include <utility>

namespace tpf::conf {
namespace {

constexpr std::uint64_t kKiB = std::uint64_t{1} << 10;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;
/// Longest path of a unix socket: sun_path has 108 bytes, the last one zero.
constexpr std::size_t kSocketPath = 107;
/// 2^36 - 32, SP 800-38D § 5.2.1.1.
constexpr std::uint64_t kGcmMost = (std::uint64_t{1} << 36) - 32;

template <class To, class From>
void assign(To& to, From&& from) {
    if constexpr (std::is_same_v<std::decay_t<From>, std::uint64_t> && !std::is_integral_v<To>) {
        to = To(static_cast<typename To::rep>(from));
    } else if constexpr (std::is_integral_v<To>) {
        to = static_cast<To>(from);
    } else {
        to = std::forward<From>(from);
    }
}

template <class Type, class Member>
nlohmann::json written(const Type& type, const Member& member) {
    if constexpr (requires { member.count(); } && std::is_same_v<typename Type::Value, std::uint64_t>) {
        return type.write(static_cast<std::uint64_t>(member.count()));
    } else {
        return type.write(member);
    }
}

template <class Target, class Type, class At>
Setting<Target> setting(Facts facts, Type type, At at) {
    facts.type = type.name();
    facts.allowed = type.allowed();
    return {std::move(facts),
            [type, at](const Node& node, Target& target, Complaints& complaints) {
                auto value = type.read(node, complaints);
                if (value) assign(at(target), *std::move(value));
            },
            [type, at](const Target& target) { return written(type, at(target)); }};
}

#define AT(member)              \
    [](auto& target) -> auto& { \
        return target.member;   \
    }

void add_installation(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>(
        {.section = "installation",
         .key = "name",
         .required = true,
         .example = "tpf-test",
         .what = "Name of this installation. It stands in logs, in the audit log and in the answers of `tpfctl`."},
        Text{"1 to 64 of a-z, 0-9, `.` and `-`", is_installation_name}, AT(fixed.installation.name)));
    table.push_back(setting<Config>(
        {.section = "installation",
         .key = "kind",
         .required = true,
         .example = "test",
         .pinned = true,
         .what = "What may pass: on `production` a synthetic identity number counts as wrong, on `test` a real-looking "
                 "one does. A test installation says so in every output of every program. There is no default: it is "
                 "chosen, never assumed."},
        Choice<Installation>{installation_words()}, AT(fixed.installation.kind)));
}

void add_paths(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>(
        {.section = "paths",
         .key = "spool",
         .by_default = "/var/lib/tpf/spool",
         .what = "Folder of the spool. Its subfolders are the states of a message; all must lie on one file system."},
        AbsolutePath{}, AT(fixed.paths.spool)));
    table.push_back(setting<Config>(
        {.section = "paths",
         .key = "journal",
         .by_default = "/var/lib/tpf/journal/journal.db",
         .what = "File of the journal and the audit log (SQLite). Its folder belongs to the core alone."},
        AbsolutePath{}, AT(fixed.paths.journal)));
    table.push_back(setting<Config>(
        {.section = "paths",
         .key = "journal_copy",
         .by_default = "",
         .what =
             "Folder of the journal's copy, from which `tpfctl journal rebuild` makes a damaged journal anew. Empty: "
             "`copy` beside the journal. Best on another disk, and never put back from a backup together with the "
             "journal: it is what shows that a journal is an old one."},
        AbsolutePath{.may_be_empty = true}, AT(fixed.paths.journal_copy)));
    table.push_back(
        setting<Config>({.section = "paths",
                         .key = "keyring",
                         .by_default = "/var/lib/tpf/keyring",
                         .what = "Folder of the key ring: the facts of all keys, and the encrypted private ones."},
                        AbsolutePath{}, AT(fixed.paths.keyring)));
    table.push_back(setting<Config>({.section = "paths",
                                     .key = "socket",
                                     .by_default = "/run/tpf/core.sock",
                                     .what = "Unix socket of the core, which `tpfctl` talks to."},
                                    AbsolutePath{kSocketPath}, AT(fixed.paths.socket)));
}

void add_control(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>(
        {.section = "control",
         .key = "operators_group",
         .by_default = "tpf-operator",
         .what = "Members of this group may use the socket. Empty: only root and the service's own user."},
        Text{"name of a group, or empty", is_group_or_empty}, AT(fixed.control.operators_group)));
    table.push_back(setting<Config>({.section = "control",
                                     .key = "max_connections",
                                     .by_default = 32,
                                     .what = "Connections to the socket that are served at once; further ones wait."},
                                    WholeNumber{1, 1024}, AT(fixed.control.max_connections)));
    table.push_back(setting<Config>(
        {.section = "control",
         .key = "timeout_seconds",
         .by_default = 30,
         .unit = "seconds",
         .what = "A connection to the socket that neither sends nor takes anything for so long is closed."},
        WholeNumber{1, 3600}, AT(fixed.control.timeout_seconds)));
}

void add_log_and_workers(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>(
        {.section = "log",
         .key = "level",
         .by_default = "info",
         .reloadable = true,
         .what = "The least level that is logged. `info` is one line per stage of a message; `error` means: act now."},
        Choice<log::Level>{level_words()}, AT(reloadable.log.level)));
    table.push_back(setting<Config>(
        {.section = "metrics",
         .key = "file",
         .by_default = "/run/tpf/tpf.prom",
         .reloadable = true,
         .what = "File that the core writes its numbers to every 15 seconds, for the textfile collector of Prometheus' "
                 "node_exporter: put a link to it into the collector's folder. Empty: none is written."},
        AbsolutePath{.may_be_empty = true}, AT(reloadable.metrics.file)));
    table.push_back(setting<Config>(
        {.section = "workers",
         .key = "threads",
         .by_default = 0,
         .what =
             "Messages that are worked on with full force at once. 0: one per processor core. There are more threads "
             "than that, since most of a small message's time is waiting for the disk."},
        WholeNumber{0, 1024}, AT(fixed.workers.threads)));
    table.push_back(setting<Config>(
        {.section = "workers",
         .key = "large_message_bytes",
         .by_default = "64 MiB",
         .unit = "bytes",
         .reloadable = true,
         .what =
             "From this size on a message is large. At most `threads` - 1 large messages (one, if that is none) are "
             "worked on at once, so that they never hold up the small ones."},
        Size{1 * kMiB, 16 * kTiB}, AT(reloadable.workers.large_message_bytes)));
    table.push_back(setting<Config>(
        {.section = "workers",
         .key = "poll_seconds",
         .by_default = 2,
         .unit = "seconds",
         .reloadable = true,
         .what = "The inbox is watched (inotify), and looked at this often besides, in case a notice was lost."},
        WholeNumber{1, 3600}, AT(reloadable.workers.poll_seconds)));
}

void add_memory(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>(
        {.section = "memory",
         .key = "lock",
         .by_default = "require",
         .what =
             "The core keeps all of its memory out of swap, since keys and identity numbers lie in it. `require`: it "
             "does not start where it may not (the limit on locked memory must be `infinity`, as the unit sets it). "
             "`try`: it starts, with a warning; for machines without swap, and for trying things out."},
        Choice<MemoryLock>{memory_lock_words()}, AT(fixed.memory.lock)));
}

void add_pkcs11(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>(
        {.section = "pkcs11",
         .key = "uri",
         .by_default = "",
         .what =
             "Which module and which token (RFC 7512), for keys that were made with `--place token` or `wrapped`. The "
             "PIN never stands here: it comes from the credential `pkcs11-pin`. Empty: no token."},
        Text{"pkcs11:token=NAME?module-path=/PATH/MODULE.so, or empty", is_pkcs11_uri_or_empty}, AT(fixed.pkcs11_uri)));
}

void add_message_limits(std::vector<Setting<Config>>& table) {
    const auto add = [&](std::string_view key, const nlohmann::json& by_default, std::string_view unit,
                         std::string_view what, auto type, auto at) {
        table.push_back(setting<Config>({.section = "limits",
                                         .key = key,
                                         .by_default = by_default,
                                         .unit = unit,
                                         .reloadable = true,
                                         .pinned = true,
                                         .what = what},
                                        type, at));
    };
    add("message_bytes", "100 GiB", "bytes", "Largest submission, as it arrives.", Size{1 * kKiB, 16 * kTiB},
        AT(reloadable.limits.message_bytes));
    add("persons", 10'000'000, "", "Most persons in one message; the format itself allows no more than 10000000.",
        WholeNumber{1, 10'000'000}, AT(reloadable.limits.persons));
    add("depth", 32, "elements", "Deepest nesting of elements, the root included. The format itself stays below 8.",
        WholeNumber{8, 1024}, AT(reloadable.limits.depth));
    add("name_bytes", 256, "bytes", "Longest name of an element or attribute, its prefix included.",
        WholeNumber{32, 4096}, AT(reloadable.limits.name_bytes));
    add("attributes", 16, "", "Most attributes of one element, namespace declarations included.", WholeNumber{8, 256},
        AT(reloadable.limits.attributes));
    add("tag_bytes", "16 KiB", "bytes", "Longest start tag, its attributes included.", Size{1 * kKiB, 1 * kMiB},
        AT(reloadable.limits.tag_bytes));
    add("leaf_bytes", 4096, "bytes",
        "Longest text of an element, sealed content excepted. An encrypted key of a 16384-bit RSA key needs 2732 "
        "characters and its line breaks.",
        Size{1 * kKiB, 1 * kMiB}, AT(reloadable.limits.leaf_bytes));
    add("gcm_bytes", kGcmMost, "bytes",
        "Most content under one AES-GCM key. The default is what the mode is safe for (2^36 - 32) and cannot be "
        "raised; "
        "a lower one is for tests.",
        Size{16, kGcmMost}, AT(reloadable.limits.gcm_bytes));
}

void add_quotas(std::vector<Setting<Config>>& table) {
    const auto add = [&](std::string_view key, const nlohmann::json& by_default, std::string_view unit,
                         std::string_view what, auto type, auto at) {
        table.push_back(setting<Config>(
            {.section = "limits", .key = key, .by_default = by_default, .unit = unit, .reloadable = true, .what = what},
            type, at));
    };
    add("persons_per_day", 0, "",
        "A sender over so many persons in a day is held until an operator has looked: whoever can submit numbers "
        "freely "
        "can build a dictionary of pseudonyms. 0: no limit.",
        WholeNumber{0, 1'000'000'000}, AT(reloadable.limits.persons_per_day));
    add("inbox_messages_per_sender", 10'000, "",
        "A sender with so many messages waiting hands over no more until some are done.", WholeNumber{1, 1'000'000},
        AT(reloadable.limits.inbox_messages_per_sender));
    add("quarantine_bytes_per_sender", "10 GiB", "bytes",
        "A sender with so much in quarantine hands over no more until an operator has retried or discarded some.",
        Size{1 * kMiB, 1024 * kTiB}, AT(reloadable.limits.quarantine_bytes_per_sender));
}

void add_disk_and_retention(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>(
        {.section = "disk",
         .key = "reserve_bytes",
         .by_default = "1 GiB",
         .unit = "bytes",
         .reloadable = true,
         .what = "With less than this free for the spool or the journal nothing new is taken; what was begun goes on."},
        Size{0, 1024 * kTiB}, AT(reloadable.disk.reserve_bytes)));
    table.push_back(setting<Config>(
        {.section = "retention",
         .key = "delivered_days",
         .by_default = 30,
         .unit = "days",
         .reloadable = true,
         .what = "So long the payload of a delivered message is kept. 0: removed at once. Names, digests and outcomes "
                 "stay in the journal and the audit log."},
        WholeNumber{0, 3650}, AT(reloadable.retention.delivered_days)));
}

void add_forward(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>({.section = "forward",
                                     .key = "connections",
                                     .by_default = 8,
                                     .what = "Messages being sent at once, over all registers."},
                                    WholeNumber{1, 256}, AT(fixed.forward.connections)));
    const auto seconds = [&](std::string_view key, unsigned by_default, WholeNumber range, std::string_view what,
                             auto at) {
        table.push_back(setting<Config>({.section = "forward",
                                         .key = key,
                                         .by_default = by_default,
                                         .unit = "seconds",
                                         .reloadable = true,
                                         .what = what},
                                        range, at));
    };
    seconds("connect_seconds", 10, {1, 600}, "Most time for a connection to come about.",
            AT(reloadable.forward.connect_seconds));
    seconds("handshake_seconds", 10, {1, 600}, "Most time for the TLS handshake.",
            AT(reloadable.forward.handshake_seconds));
    seconds("send_stall_seconds", 30, {1, 3600}, "A register that takes not one byte for so long is given up for now.",
            AT(reloadable.forward.send_stall_seconds));
    seconds("answer_seconds", 120, {1, 86'400}, "Most time from the last byte sent to the whole answer.",
            AT(reloadable.forward.answer_seconds));
    seconds("backoff_first_seconds", 5, {1, 86'400},
            "Pause after a first failure; it doubles with each further one, with jitter.",
            AT(reloadable.forward.backoff_first_seconds));
    seconds("backoff_max_seconds", 900, {1, 604'800}, "Longest pause; not less than `backoff_first_seconds`.",
            AT(reloadable.forward.backoff_max_seconds));
    seconds("alarm_after_seconds", 3600, {1, 2'592'000}, "A register that has been away for so long raises an alarm.",
            AT(reloadable.forward.alarm_after_seconds));
    seconds("poll_seconds", 2, {1, 3600}, "The outbox is watched (inotify), and looked at this often besides.",
            AT(reloadable.forward.poll_seconds));
}

void add_audit(std::vector<Setting<Config>>& table) {
    table.push_back(setting<Config>({.section = "audit",
                                     .key = "daily_lookups",
                                     .by_default = 10,
                                     .reloadable = true,
                                     .what = "So many questions of `tpfctl audit pseudonym` and `tpfctl audit person` "
                                             "are answered on one day (UTC), over "
                                             "all operators. Each needs a second operator's approval besides."},
                                    WholeNumber{0, 10'000}, AT(reloadable.audit.daily_lookups)));
}

void add_register_output(std::vector<Setting<Register>>& table) {
    table.push_back(setting<Register>(
        {.section = "register",
         .key = "kinds",
         .by_default = nlohmann::json::array({"fodselsnummer", "d-nummer", "fh-nummer", "duf-nummer"}),
         .reloadable = true,
         .pinned = true,
         .what = "Kinds of identity numbers that the register takes; others count as wrong (E31). An H-nummer means "
                 "nothing outside the enterprise that issued it: its pseudonym holds for that enterprise only."},
        Choices<NumberKind>{number_kind_words()}, AT(kinds)));
    table.push_back(setting<Register>(
        {.section = "register",
         .key = "rules",
         .by_default = nlohmann::json::array({"old", "2032"}),
         .reloadable = true,
         .pinned = true,
         .what = "Rules for the first control digit that are in force, side by side: `old`, and the relaxed one of "
                 "fødselsnummer and D-nummer issued from 1 January 2032."},
        Choices<ControlRule>{control_rule_words()}, AT(rules)));
    table.push_back(setting<Register>(
        {.section = "register",
         .key = "on_invalid",
         .by_default = "mark",
         .reloadable = true,
         .pinned = true,
         .what = "What a missing or wrong number does: `mark` sends that person without a pseudonym (E30, E31), "
                 "`quarantine` stops the whole message."},
        Choice<OnInvalid>{on_invalid_words()}, AT(on_invalid)));
    table.push_back(setting<Register>(
        {.section = "register",
         .key = "pseudonym_versions",
         .by_default = nlohmann::json::array({1}),
         .reloadable = true,
         .pinned = true,
         .what = "Versions of the register's pseudonym key, newest first. Each person gets one pseudonym per version: "
                 "two of them while the register changes over, else one."},
        Versions{}, AT(pseudonym_versions)));
}

void add_register_log(std::vector<Setting<Register>>& table) {
    table.push_back(setting<Register>(
        {.section = "register",
         .key = "pseudonym_log",
         .by_default = true,
         .reloadable = true,
         .what =
             "Whether each message's pseudonyms are kept in a list (the pseudonym log). Without it the questions in "
             "which messages a pseudonym or a person occurred are answered with \"not recorded\" for this register. "
             "Lists that are there stay."},
        YesNo{}, AT(pseudonym_log)));
}

void add_register_endpoint(std::vector<Setting<Register>>& table) {
    table.push_back(setting<Register>(
        {.section = "register",
         .key = "url",
         .required = true,
         .example = "https://register.example.no:8443",
         .reloadable = true,
         .what = "Where the register listens; `/v1/meldinger` is added. TLS 1.3 with certificates on both sides, "
                 "nothing else."},
        HttpsUrl{}, AT(url)));
    table.push_back(setting<Register>(
        {.section = "register",
         .key = "ca_file",
         .required = true,
         .example = "/etc/tpf/tls/iplos-ca.pem",
         .reloadable = true,
         .what = "Certificates (PEM) of who may have issued the register's certificate. The system's own are not "
                 "trusted here."},
        AbsolutePath{}, AT(ca_file)));
    table.push_back(
        setting<Register>({.section = "register",
                           .key = "client_certificate",
                           .required = true,
                           .example = "/etc/tpf/tls/iplos-client.pem",
                           .reloadable = true,
                           .what = "Certificate (PEM, its chain included) that `tpf-forward` shows to the register."},
                          AbsolutePath{}, AT(client_certificate)));
    table.push_back(setting<Register>({.section = "register",
                                       .key = "client_key",
                                       .required = true,
                                       .example = "/etc/tpf/tls/iplos-client.key",
                                       .reloadable = true,
                                       .what = "Its private key (PEM). Only `tpf-forward` may be able to read it."},
                                      AbsolutePath{}, AT(client_key)));
    table.push_back(
        setting<Register>({.section = "register",
                           .key = "connections",
                           .by_default = 4,
                           .reloadable = true,
                           .what = "Messages being sent to this register at once, within `connections` of [forward]."},
                          WholeNumber{1, 256}, AT(connections)));
}

std::vector<Setting<Source>> make_source_settings() {
    std::vector<Setting<Source>> table;
    table.push_back(setting<Source>(
        {.section = "source",
         .key = "kind",
         .required = true,
         .example = "drop",
         .what = "`drop`: encrypted files put into a folder, all from one sender. `folder`: an intake program of its "
                 "own that puts entries into the spool's inbox/new."},
        Choice<SourceKind>{source_kind_words()}, AT(kind)));
    table.push_back(
        setting<Source>({.section = "source",
                         .key = "path",
                         .example = "/var/lib/tpf/drop/oslo",
                         .what = "The folder that files are dropped into. `drop` needs it, `folder` has none."},
                        AbsolutePath{}, AT(path)));
    table.push_back(setting<Source>(
        {.section = "source",
         .key = "sender",
         .example = "0301-00-974761076",
         .what = "Whoever can write into the folder is this sender; a message that says otherwise is quarantined. "
                 "`drop` needs it, `folder` has none: its records say who sent."},
        Sender{}, AT(sender)));
    table.push_back(setting<Source>(
        {.section = "source",
         .key = "settle_seconds",
         .by_default = 2,
         .unit = "seconds",
         .what = "A dropped file is taken when it has not changed for so long: whoever copies it there cannot tell us "
                 "that it is whole. For `drop`; `folder` takes no notice of it."},
        WholeNumber{0, 3600}, AT(settle_seconds)));
    table.push_back(setting<Source>(
        {.section = "source",
         .key = "user",
         .example = "tpf-intake",
         .what =
             "User (name or uid) that the intake program runs as: its files are told by their owner. `folder` needs "
             "it, `drop` has none."},
        Text{"name of a user, or a uid", is_user}, AT(user)));
    return table;
}

#undef AT

template <class Target>
void add_facts(std::vector<Facts>& out, std::string_view section) {
    for (const auto& setting : settings_of<Target>()) {
        if (setting.facts.section == section) out.push_back(setting.facts);
    }
}

}  // namespace

const std::vector<Section>& sections() {
    static const std::vector<Section> table = {
        {"installation", "Which installation this is.", false},
        {"paths", "Where things lie. All paths are absolute.", false},
        {"control", "The core's unix socket, for operators.", false},
        {"log", "The operator's log (standard error, or systemd's journal).", false},
        {"metrics", "Numbers for monitoring.", false},
        {"workers", "How the core works off messages.", false},
        {"pkcs11", "A token (hardware security module) that has keys.", false},
        {"memory", "What the core's memory may be kept in.", false},
        {"source",
         "One section per way in. NAME is 1 to 32 of a-z, 0-9 and `-`; `operator` is taken: it is `tpfctl submit`.",
         true},
        {"register", "One section per register, at least one. NAME is the register's name in messages, 2 to 12 of A-Z.",
         true},
        {"limits",
         "What a message may hold, and how much a sender may have here. Beyond it a message is quarantined, a "
         "sender waits.",
         false},
        {"audit", "Questions about people and pseudonyms.", false},
        {"disk", "Room on the spool's and the journal's file system.", false},
        {"retention", "How long what is done with is kept.", false},
        {"forward", "Sending to the registers (`tpf-forward`).", false},
    };
    return table;
}

const std::vector<Setting<Config>>& config_settings() {
    static const std::vector<Setting<Config>> table = [] {
        std::vector<Setting<Config>> out;
        add_installation(out);
        add_paths(out);
        add_control(out);
        add_log_and_workers(out);
        add_memory(out);
        add_pkcs11(out);
        add_message_limits(out);
        add_quotas(out);
        add_disk_and_retention(out);
        add_audit(out);
        add_forward(out);
        return out;
    }();
    return table;
}

const std::vector<Setting<Source>>& source_settings() {
    static const std::vector<Setting<Source>> table = make_source_settings();
    return table;
}

const std::vector<Setting<Register>>& register_settings() {
    static const std::vector<Setting<Register>> table = [] {
        std::vector<Setting<Register>> out;
        add_register_output(out);
        add_register_log(out);
        add_register_endpoint(out);
        return out;
    }();
    return table;
}

const std::vector<Facts>& all_facts() {
    static const std::vector<Facts> facts = [] {
        std::vector<Facts> out;
        for (const Section& section : sections()) {
            add_facts<Config>(out, section.name);
            add_facts<Source>(out, section.name);
            add_facts<Register>(out, section.name);
        }
        return out;
    }();
    return facts;
}

}  // namespace tpf::conf
