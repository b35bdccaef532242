#pragma once
// The configuration: one TOML 1.0 file for tpfd, tpf-forward and tpfctl. What each setting means, its unit, default and
// bounds stand in the settings table (settings.cpp), and from there in docs/configuration.md and tpf.toml.sample; this
// header has only their types. Names here are names there: config.reloadable.limits.depth is `depth` under [limits].
//
// All types are plain values: copy them, compare them, share them as `std::shared_ptr<const Config>`. A Config that
// came from load() or parse() is whole and consistent; nothing else needs to be checked about it but what only the
// machine knows (does the folder exist, is there such a user).

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/log.h"
#include "base/types.h"
#include "conf/problem.h"

namespace tpf::conf {

using Seconds = std::chrono::seconds;

/// Where a source's submissions come from.
enum class SourceKind {
    drop,    ///< encrypted files put into `path`, all from `sender`
    folder,  ///< entries put into the spool's inbox/new by an intake program that runs as `user`
};

/// [source.NAME]. The name `operator` is `tpfctl submit`'s and never stands here.
struct Source {
    SourceKind kind = SourceKind::drop;
    Path path;                       ///< drop: the folder. folder: empty.
    std::optional<Avsender> sender;  ///< drop: always. folder: never (its records say who sent).
    std::string user;                ///< folder: name or decimal uid of the files' owner. drop: empty.
    Seconds settle_seconds{};        ///< a dropped file is taken once it has not changed for so long
    friend bool operator==(const Source&, const Source&) = default;
};

/// Kinds of identity numbers that a register can take (domain.md, "Identity numbers").
enum class NumberKind { fodselsnummer, d_nummer, fh_nummer, duf_nummer, h_nummer, npid };
/// Rules for control digits: both can be in force side by side.
enum class ControlRule { old, relaxed_2032 };
/// What a missing or wrong number does: <p:Pseudonym feil="…"/>, or the whole message to quarantine.
enum class OnInvalid { mark, quarantine };
/// Whether the core starts where its memory cannot be kept out of swap.
enum class MemoryLock { require, attempt };

[[nodiscard]] std::string_view to_string(SourceKind kind) noexcept;
[[nodiscard]] std::string_view to_string(NumberKind kind) noexcept;   ///< "d-nummer"
[[nodiscard]] std::string_view to_string(ControlRule rule) noexcept;  ///< "old", "2032"
[[nodiscard]] std::string_view to_string(OnInvalid what) noexcept;
[[nodiscard]] std::string_view to_string(Installation kind) noexcept;  ///< "production", "test"

/// https only.
struct Url {
    std::string host;  ///< name, IPv4, or IPv6 without brackets; lower case
    std::uint16_t port = 443;
    std::string prefix;  ///< "" or "/path" without a final slash; formats.md's "/v1/meldinger" comes after it
    [[nodiscard]] std::string str() const;
    friend bool operator==(const Url&, const Url&) = default;
};

/// [register.NAME]: what the core does for a register, and how tpf-forward reaches it.
struct Register {
    std::set<NumberKind> kinds;
    std::set<ControlRule> rules;
    OnInvalid on_invalid = OnInvalid::mark;
    std::vector<unsigned> pseudonym_versions;  ///< 1 to 4 of them, newest first, each 1 to 9999
    bool pseudonym_log = true;                 ///< each message's pseudonyms are kept in a list
    Url url;
    Path ca_file;
    Path client_certificate;
    Path client_key;
    unsigned connections = 0;
    friend bool operator==(const Register&, const Register&) = default;
};

/// The parts of [limits] that decide whether a message passes; pinned with each message (output_settings.h).
struct MessageLimits {
    std::uint64_t message_bytes = 0;
    std::uint64_t persons = 0;
    std::uint64_t depth = 0;
    std::uint64_t name_bytes = 0;
    std::uint64_t attributes = 0;
    std::uint64_t tag_bytes = 0;
    std::uint64_t leaf_bytes = 0;
    std::uint64_t gcm_bytes = 0;
    friend bool operator==(const MessageLimits&, const MessageLimits&) = default;
};
/// All of [limits].
struct Limits : MessageLimits {
    std::uint64_t persons_per_day = 0;  ///< per sender; 0: no limit
    std::uint64_t inbox_messages_per_sender = 0;
    std::uint64_t quarantine_bytes_per_sender = 0;
    friend bool operator==(const Limits&, const Limits&) = default;
};

/// Read once, at the start: a change needs a restart.
struct Fixed {
    struct InstallationSettings {
        std::string name;
        Installation kind = Installation::test;
        friend bool operator==(const InstallationSettings&, const InstallationSettings&) = default;
    };
    struct Paths {
        Path spool;
        Path journal;
        Path journal_copy;  ///< as set; what is meant: copy_folder()
        Path keyring;
        Path socket;
        /// `copy` beside the journal where nothing else is set.
        [[nodiscard]] Path copy_folder() const {
            return journal_copy.empty() ? journal.parent_path() / "copy" : journal_copy;
        }
        friend bool operator==(const Paths&, const Paths&) = default;
    };
    struct Control {
        std::string operators_group;  ///< empty: root and the service's own user only
        unsigned max_connections = 0;
        Seconds timeout_seconds{};
        friend bool operator==(const Control&, const Control&) = default;
    };
    struct Workers {
        unsigned threads = 0;  ///< 0: one per core
        friend bool operator==(const Workers&, const Workers&) = default;
    };
    struct Memory {
        MemoryLock lock = MemoryLock::require;
        friend bool operator==(const Memory&, const Memory&) = default;
    };
    struct Forward {
        unsigned connections = 0;  ///< at once, over all registers
        friend bool operator==(const Forward&, const Forward&) = default;
    };
    InstallationSettings installation;
    Paths paths;
    Control control;
    Workers workers;
    Memory memory;
    std::string pkcs11_uri;  ///< base/pkcs11_uri.h reads it; empty: no token
    Forward forward;
    std::map<std::string, Source> sources;  ///< by NAME, [a-z0-9-]{1,32}
    friend bool operator==(const Fixed&, const Fixed&) = default;
};

/// In force from the next message (or the next attempt) on after a reload.
struct Reloadable {
    struct Log {
        log::Level level = log::Level::info;
        friend bool operator==(const Log&, const Log&) = default;
    };
    struct Workers {
        std::uint64_t large_message_bytes = 0;
        Seconds poll_seconds{};
        friend bool operator==(const Workers&, const Workers&) = default;
    };
    struct Disk {
        std::uint64_t reserve_bytes = 0;
        friend bool operator==(const Disk&, const Disk&) = default;
    };
    struct Retention {
        std::chrono::days delivered_days{};  ///< 0: removed at once
        friend bool operator==(const Retention&, const Retention&) = default;
    };
    struct Forward {
        Seconds connect_seconds{};
        Seconds handshake_seconds{};
        Seconds send_stall_seconds{};
        Seconds answer_seconds{};
        Seconds backoff_first_seconds{};
        Seconds backoff_max_seconds{};
        Seconds alarm_after_seconds{};
        Seconds poll_seconds{};
        friend bool operator==(const Forward&, const Forward&) = default;
    };
    struct Audit {
        std::uint64_t daily_lookups = 10;  ///< answered in one day (UTC), over all operators
        friend bool operator==(const Audit&, const Audit&) = default;
    };
    struct Metrics {
        Path file;  ///< empty: none is written
        friend bool operator==(const Metrics&, const Metrics&) = default;
    };
    Log log;
    Audit audit;
    Metrics metrics;
    Workers workers;
    Limits limits;
    Disk disk;
    Retention retention;
    Forward forward;
    std::map<RegisterName, Register> registers;  ///< never empty
    friend bool operator==(const Reloadable&, const Reloadable&) = default;
};

struct Config {
    Fixed fixed;
    Reloadable reloadable;
    friend bool operator==(const Config&, const Config&) = default;
};

/// The largest configuration file that is read, bytes.
inline constexpr std::size_t kMaxFileBytes = 1 << 20;

/// Reads and checks `file` (a link to it is followed: an operator set it). All problems are reported, not only the
/// first; a file that is not TOML has one, where the parser gave up. Nothing in the environment is looked at.
[[nodiscard]] Checked<Config> load(const Path& file);
[[nodiscard]] Checked<Config> load(FileSystem& fs, const Path& file);
/// The same for a text; `name` stands in the problems as the file's name.
[[nodiscard]] Checked<Config> parse(std::string_view text, std::string_view name = "tpf.toml");

/// All settings as TOML, defaults included: parse(dump(c)) == c.
[[nodiscard]] std::string dump(const Config& config);
/// SHA-256, lower-case hex, of the canonical JSON of all settings (keys sorted, no white space): what the audit log
/// says of a configuration. There are no secrets among the settings, only paths to them.
[[nodiscard]] std::string digest(const Config& config);
/// Names of the settings that differ, sorted: "limits.depth", "register.IPLOS.kinds"; one name ("register.KPR") for a
/// register or source that only one of the two has.
[[nodiscard]] std::vector<std::string> differences(const Config& before, const Config& after);
/// Those of differences() that a reload cannot bring into force. A reload takes `after.reloadable` and keeps the old
/// `fixed`; it warns with these names.
[[nodiscard]] std::vector<std::string> needs_restart(const Config& before, const Config& after);

/// The commented sample: loads as it is; a line that begins with '#' and a letter or '[' is a setting at its default.
[[nodiscard]] std::string sample();
/// docs/configuration.md.
[[nodiscard]] std::string documentation_markdown();

}  // namespace tpf::conf
