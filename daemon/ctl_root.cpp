#include "daemon/ctl_root.h"

#include <iostream>

#include "base/sha256.h"
#include "crypto/key_file.h"
#include "crypto/key_file_signature.h"
#include "daemon/ctl_passphrase.h"
#include "daemon/ctl_print.h"
#include "daemon/process.h"

namespace tpf::daemon {
namespace {

constexpr std::size_t kMaxFile = std::size_t{1} << 20;
constexpr const char* kKeyName = "root.pem";
constexpr const char* kPublicName = "root.txt";

struct RootOptions {
    std::string owner = "TPF", out, key, file;
    std::optional<int> passphrase_fd;
};

Result<std::string> owner_of(const RootOptions& options) {
    TPF_TRY(const auto owner, RegisterName::parse(options.owner));
    return owner.str();
}

/// root.pem, sealed under its passphrase, and root.txt, the line that senders pin; in a new folder.
Result<Json> generate_root(const RootOptions& options) {
    TPF_TRY(const std::string owner, owner_of(options));
    TPF_TRY(const auto phrase, get_passphrase(options.passphrase_fd, {"root key", true, false}));
    const auto root = crypto::SigningKey::generate();
    const auto pem = root.pem(phrase);
    const std::string line = crypto::root_line(owner, root.verify_key());
    FileSystem& fs = posix_file_system();
    const Path folder = options.out;
    if (const auto made = fs.make_folder(folder, 0700); !made)
        return fail(made.error().code(), made.error().detail(), "--out names a folder that does not exist yet");
    TPF_TRY(write_new(fs, folder / kKeyName, as_text(pem.bytes(crypto::SecretToken::access())), 0600));
    TPF_TRY(write_new(fs, folder / kPublicName, line, 0644));
    TPF_TRY(fs.sync_folder(folder));
    return Json{{"folder", folder.string()}, {"owner", owner}, {"pinned_line", line.substr(0, line.size() - 1)}};
}

Result<crypto::KeyFileSignatures> others(FileSystem& fs, const Path& path) {
    const auto text = read_small(fs, path, kMaxFile);
    if (!text && text.error().code() == Code::not_found) return crypto::KeyFileSignatures();
    if (!text) return fail(text.error());
    return crypto::parse_signatures(text.value());
}

/// A line of FILE.sig: this owner's is replaced, others stay.
Result<Json> sign_with_root(const RootOptions& options) {
    TPF_TRY(const std::string owner, owner_of(options));
    FileSystem& fs = posix_file_system();
    TPF_TRY(const std::string content, read_small(fs, options.file, kMaxFile));
    TPF_TRY(const auto keys, crypto::KeyFile::parse(content));
    TPF_TRY(const std::string pem, read_small(fs, options.key, kMaxFile));
    TPF_TRY(const auto phrase, get_passphrase(options.passphrase_fd, {"root key", false, false}));
    TPF_TRY(const auto root, crypto::SigningKey::from_pem(pem, phrase));
    const Path path = crypto::signature_path(options.file);
    TPF_TRY(auto signatures, others(fs, path));
    signatures[owner] = crypto::sign_key_file(root, owner, content);
    TPF_TRY(write_atomically(fs, path, crypto::write_signatures(signatures), 0644));
    Json json = {
        {"signature", path.string()}, {"owner", owner}, {"sha256", hex(sha256(content))}, {"keys", Json::array()}};
    if (keys.edition) json["edition"] = *keys.edition;
    for (const auto& key : keys.keys) {
        if (key.owner == owner) json["keys"].push_back(key.id.str());
    }
    return json;
}

int finish(const Ctl& ctl, const Result<Json>& done) {
    if (!done) return show_error(ctl, done.error());
    // Of no installation: this machine knows none.
    std::cout << (ctl.json ? Json{{"result", done.value()}}.dump() + "\n" : print_plain(done.value()));
    return 0;
}

}  // namespace

void add_root(CLI::App& keys, Ctl& ctl) {
    CLI::App* root = keys.add_subcommand("root", "the key that vouches for key files, on a machine without a network");
    root->require_subcommand(1)->fallthrough();
    const auto options = std::make_shared<RootOptions>();
    CLI::App* generate = verb(*root, ctl, "generate", "make a root key, in a new folder", [options](Ctl& c) {
        protect_secrets();
        return finish(c, generate_root(*options));
    });
    generate->add_option("--out", options->out, "folder to make")->required();
    CLI::App* sign = verb(*root, ctl, "sign", "sign a published key file: FILE.sig", [options](Ctl& c) {
        protect_secrets();
        return finish(c, sign_with_root(*options));
    });
    sign->add_option("--key", options->key, "the root key (root.pem)")->required();
    sign->add_option("file", options->file, "key file")->required();
    for (CLI::App* sub : {generate, sign}) {
        sub->add_option("--owner", options->owner, "whose keys it vouches for: TPF (default), or a register's name");
        sub->add_option("--passphrase-fd", options->passphrase_fd,
                        "read the root key's passphrase from this descriptor");
    }
}

}  // namespace tpf::daemon
