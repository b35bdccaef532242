#include "daemon/ctl_backup.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "crypto/key_backup.h"
#include "crypto/key_ring.h"
#include "daemon/ctl_owner.h"
#include "daemon/ctl_passphrase.h"
#include "daemon/ctl_print.h"
#include "daemon/process.h"
#include "daemon/reason.h"
#include "daemon/users.h"

namespace tpf::daemon {
namespace {

using crypto::BackupFile;
using crypto::KeyShare;
using crypto::SecretBytes;
using crypto::SecretToken;

constexpr std::size_t kMaxBackup = std::size_t{16} << 20;
constexpr std::size_t kMaxSheet = 65536;
constexpr const char* kBackupName = "keyring-backup.tpf";

/// What the options of the two commands were set to.
struct BackupOptions {
    unsigned shares = 5, threshold = 3;
    std::string out, backup, reason;
    std::vector<std::string> sheets;
    bool check = false;
    std::optional<int> passphrase_fd;
};

ControlAnswer answer_of(const conf::Config& config, Json result) {
    return {std::string(conf::to_string(config.fixed.installation.kind)), config.fixed.installation.name,
            std::move(result)};
}

Path sheet_name(const Path& folder, unsigned number) {
    return folder / ("share-" + std::to_string(number) + ".txt");
}

/// A folder of its own that nobody else can look into.
Status write_backup(const Path& folder, const crypto::KeyBackup& backup) {
    FileSystem& fs = posix_file_system();
    if (const auto made = fs.make_folder(folder, 0700); !made)
        return fail(made.error().code(), made.error().detail(), "--out names a folder that does not exist yet");
    TPF_TRY(write_new(fs, folder / kBackupName, backup.file, 0600));
    for (const KeyShare& share : backup.shares) {
        const auto sheet = crypto::print_share(share);
        TPF_TRY(write_new(fs, sheet_name(folder, share.number), as_text(sheet.bytes(SecretToken::access())), 0600));
    }
    return fs.sync_folder(folder);
}

Result<KeyShare> read_sheet(const Path& path) {
    TPF_TRY(auto text, read_small(posix_file_system(), path, kMaxSheet));
    auto share = crypto::parse_share(text);
    forget(text);
    if (!share)
        return fail(share.error().code(), path.string() + ": " + share.error().detail(),
                    std::string(share.error().hint()));
    return share;
}

/// What was written opens again: from the first shares that are enough, and from the last ones.
Status prove_backup(const Path& folder, const SecretBytes& bundle, const crypto::BackupFacts& facts) {
    TPF_TRY(const auto content, read_small(posix_file_system(), folder / kBackupName, kMaxBackup));
    TPF_TRY(const auto file, BackupFile::parse(content));
    for (const unsigned first : {1U, facts.shares - facts.threshold + 1}) {
        std::vector<KeyShare> shares;
        for (unsigned number = first; number < first + facts.threshold; ++number) {
            TPF_TRY(auto share, read_sheet(sheet_name(folder, number)));
            shares.push_back(std::move(share));
        }
        TPF_TRY(const auto opened, file.open(shares));
        if (!same(opened, bundle)) return fail(Code::internal, "the backup does not open to what was put in");
    }
    return ok();
}

/// "place" says what of a key is in the backup: a token's key is not, a wrapped one opens with the token only.
Json keys_json(const std::vector<crypto::KeyFacts>& keys) {
    Json list = Json::array();
    for (const auto& key : keys) {
        list.push_back({{"id", key.id.str()},
                        {"kind", crypto::to_string(key.kind)},
                        {"state", crypto::to_string(key.state)},
                        {"place", crypto::to_string(key.place)},
                        {"check_value", key.check_value}});
    }
    return list;
}

Result<ControlAnswer> tell_core(Ctl& ctl, const BackupOptions& options, const std::string& backup) {
    ctl.args = {{"reason", options.reason}, {"shares", options.shares}, {"threshold", options.threshold}};
    if (!backup.empty()) ctl.args["backup"] = backup;
    return ask(ctl, "keys backup");
}

Result<ControlAnswer> make(Ctl& ctl, const BackupOptions& options) {
    TPF_TRY(crypto::check_numbers(options.threshold, options.shares));
    TPF_TRY(const auto config, configuration(ctl));
    const Path& folder = config.fixed.paths.keyring;
    FileSystem& fs = posix_file_system();
    TPF_TRY(auto phrase, get_passphrase(options.passphrase_fd, {"key ring", false, true}));
    // What cannot be logged is not done.
    TPF_TRY(tell_core(ctl, options, {}));
    TPF_TRY(const auto there, fs.info(folder));
    TPF_TRY(const auto ring, crypto::KeyRing::open(fs, folder, std::move(phrase), there.owner));
    TPF_TRY(const auto bundle, ring->bundle());
    TPF_TRY(const auto backup,
            crypto::make_backup(bundle, config.fixed.installation.name, norwegian_date(system_clock().utc()),
                                options.threshold, options.shares));
    TPF_TRY(write_backup(options.out, backup));
    TPF_TRY(prove_backup(options.out, bundle, backup.facts));
    TPF_TRY(auto answer, tell_core(ctl, options, backup.facts.id));
    answer.result = {{"backup", backup.facts.id},
                     {"shares", options.shares},
                     {"needed", options.threshold},
                     {"keys", keys_json(ring->list())},
                     {"folder", options.out}};
    return answer;
}

Result<std::string> typed_line(const std::string& prompt) {
    std::cerr << prompt << std::flush;
    std::string line;
    if (!std::getline(std::cin, line)) return fail(Code::usage, "the shares are not complete");
    return line;
}

/// Asked again as long as it has a typing error.
Result<std::string> typed_share_line(unsigned line) {
    while (true) {
        TPF_TRY(auto text, typed_line("  line " + std::to_string(line) + ": "));
        const auto good = crypto::check_share_line(line, text);
        if (good) return text;
        std::cerr << "  " << good.error().detail() << "; again, please\n";
    }
}

Result<KeyShare> typed_share(const crypto::BackupFacts& facts, std::size_t at) {
    while (true) {
        TPF_TRY(const auto number, typed_line("share " + std::to_string(at) + " of the " +
                                              std::to_string(facts.threshold) + " needed; its number: "));
        if (number.empty() || number.size() > 2 || number.find_first_not_of("0123456789") != std::string::npos)
            continue;
        std::array<std::string, crypto::kShareLines> lines;
        for (unsigned line = 1; line <= crypto::kShareLines; ++line) {
            TPF_TRY(lines[line - 1], typed_share_line(line));
        }
        auto share = crypto::share_of_lines(facts, static_cast<unsigned>(std::stoul(number)), lines);
        for (std::string& line : lines) forget(line);
        if (share) return share;
        std::cerr << share.error().detail() << "\n";
    }
}

Result<std::vector<KeyShare>> collect(const BackupOptions& options, const crypto::BackupFacts& facts) {
    std::vector<KeyShare> shares;
    for (const std::string& name : options.sheets) {
        TPF_TRY(auto share, read_sheet(name));
        shares.push_back(std::move(share));
    }
    if (!options.sheets.empty()) return shares;
    std::cerr << "backup " << facts.id << " of " << facts.installation << ", " << format_date(facts.date) << "\n";
    while (shares.size() < facts.threshold) {
        TPF_TRY(auto share, typed_share(facts, shares.size() + 1));
        shares.push_back(std::move(share));
    }
    return shares;
}

/// The core keeps the ring in memory and would write its own over what is restored.
Status core_is_stopped(const Ctl& ctl) {
    const auto answer = ask(ctl, "status");
    if (!answer && answer.error().code() == Code::unavailable) return ok();
    return fail(Code::locked, "tpfd is running", "stop it: `systemctl stop tpfd`");
}

Result<ControlAnswer> bring_back(const Ctl& ctl, const BackupOptions& options) {
    TPF_TRY(const auto config, configuration(ctl));
    const Path& folder = config.fixed.paths.keyring;
    FileSystem& fs = posix_file_system();
    TPF_TRY(const auto content, read_small(fs, options.backup, kMaxBackup));
    TPF_TRY(const auto file, BackupFile::parse(content));
    TPF_TRY(const auto shares, collect(options, file.facts()));
    TPF_TRY(const auto bundle, file.open(shares));
    TPF_TRY(const auto keys, crypto::KeyRing::prove(bundle));
    Json result = {{"backup", file.facts().id}, {"date", format_date(file.facts().date)}, {"keys", keys_json(keys)}};
    result["restored"] = !options.check;
    if (options.check) return answer_of(config, std::move(result));
    TPF_TRY(check_reason(options.reason));
    TPF_TRY(core_is_stopped(ctl));
    TPF_TRY(auto phrase, get_passphrase(options.passphrase_fd, {"key ring", true, true}));
    const crypto::RingRestored note{system_clock().utc(), user_name(::getuid()), options.reason, file.facts().id};
    TPF_TRY(become_owner(fs.info(folder) ? folder : folder.parent_path()));
    TPF_TRY(const auto ring, crypto::KeyRing::restore(fs, folder, std::move(phrase), bundle, note));
    result["keys"] = keys_json(ring->list());
    result["folder"] = folder.string();
    return answer_of(config, std::move(result));
}

int run(Ctl& ctl, const Result<ControlAnswer>& answer, Printer print) {
    if (!answer) return show_error(ctl, answer.error());
    show(ctl, answer.value(), print);
    return 0;
}

}  // namespace

void add_backup(CLI::App& keys, Ctl& ctl) {
    const auto options = std::make_shared<BackupOptions>();
    CLI::App* backup =
        verb(keys, ctl, "backup", "all keys in one sealed file, its key in shares on paper", [options](Ctl& c) {
            protect_secrets();
            return run(c, make(c, *options), print_backup);
        });
    backup->add_option("--shares", options->shares, "how many shares")->capture_default_str();
    backup->add_option("--threshold", options->threshold, "how many of them are needed")->capture_default_str();
    backup->add_option("--out", options->out, "folder to make")->required();
    CLI::App* restore = verb(keys, ctl, "restore", "the key ring from a backup file and enough shares; tpfd is stopped",
                             [options](Ctl& c) {
                                 protect_secrets();
                                 return run(c, bring_back(c, *options), print_restore);
                             });
    restore->add_option("--backup", options->backup, "the backup file")->required();
    restore->add_option("shares", options->sheets, "files with shares (default: typed in)");
    restore->add_flag("--check", options->check, "only prove that they open to the keys; write nothing");
    backup->add_option("--reason", options->reason, "why, for the audit log")->required();
    restore->add_option("--reason", options->reason, "why, for the audit log");
    for (CLI::App* sub : {backup, restore}) {
        sub->add_option("--passphrase-fd", options->passphrase_fd,
                        "read the keyring's passphrase from this descriptor (default: the credential "
                        "keyring-passphrase, else typed)");
    }
}

}  // namespace tpf::daemon
