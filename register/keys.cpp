#include "register/keys.h"

#include "base/encoding.h"

namespace tpf::reg {
namespace {

constexpr std::size_t kMaxPemBytes = 64 * 1024;
constexpr std::size_t kMaxBits = 16384;

std::string_view text_of(const crypto::SecretBytes& pem) {
    return as_text(pem.bytes(crypto::SecretToken::access()));
}

Status ensure_absent(FileSystem& fs, const Path& path) {
    if (fs.info(path)) return fail(Code::usage, path.string() + " exists, and keys are never overwritten");
    return ok();
}

/// Files that are removed again unless all of them were written.
class NewFiles {
  public:
    explicit NewFiles(FileSystem& fs) : fs_(fs) {}
    NewFiles(const NewFiles&) = delete;
    NewFiles& operator=(const NewFiles&) = delete;
    ~NewFiles() {
        for (const Path& path : paths_) static_cast<void>(fs_.remove_file(path).has_value());
    }
    Status write(const Path& path, std::string_view content, mode_t mode) {
        paths_.push_back(path);
        return write_new(fs_, path, content, mode);
    }
    void keep() { paths_.clear(); }

  private:
    FileSystem& fs_;
    std::vector<Path> paths_;
};

}  // namespace

Result<MadeKeys> make_keys(FileSystem& fs, const Path& folder, const KeyId& id, std::size_t bits,
                           const crypto::SecretBytes& passphrase) {
    if (bits < crypto::kMinModernRsaBits || bits > kMaxBits)
        return fail(Code::usage, "an RSA key has 3072 to 16384 bits");
    const MadeKeys paths{folder / (id.str() + ".private.pem"), folder / (id.str() + ".public.pem"),
                         folder / (id.str() + "-receipt.private.pem"), folder / (id.str() + "-receipt.public.pem")};
    for (const Path& path : {paths.data_private, paths.data_public, paths.receipt_private, paths.receipt_public}) {
        TPF_TRY(ensure_absent(fs, path));
    }
    if (!fs.info(folder)) {
        TPF_TRY(fs.make_folder(folder, 0700));
    }
    const auto data = crypto::RsaPrivateKey::generate(bits);
    const auto receipt = crypto::SigningKey::generate();
    NewFiles files(fs);
    TPF_TRY(files.write(paths.data_private, text_of(data.pem(passphrase)), 0600));
    TPF_TRY(files.write(paths.data_public, data.public_key().pem(), 0644));
    TPF_TRY(files.write(paths.receipt_private, text_of(receipt.pem(passphrase)), 0600));
    TPF_TRY(files.write(paths.receipt_public, receipt.verify_key().pem(), 0644));
    TPF_TRY(fs.sync_folder(folder));
    files.keep();
    return paths;
}

Result<crypto::SecretBytes> read_private_pem(FileSystem& fs, const Path& path) {
    TPF_TRY(const auto file, fs.open_read(path));
    TPF_TRY(const FileInfo info, fs.info(*file));
    if ((info.mode & 077) != 0) {
        return fail(Code::config, path.string() + " can be read by others", "chmod 600 " + path.string());
    }
    if (info.size > kMaxPemBytes) return fail(Code::limit, path.string() + " is no key file");
    crypto::SecretBytes pem(info.size);
    TPF_TRY(const std::size_t size, file->read(pem.writable(crypto::SecretToken::access())));
    if (size != info.size) return fail(Code::io, path.string() + " changed while it was read");
    return pem;
}

Result<crypto::RsaPrivateKey> load_data_key(FileSystem& fs, const Path& path, const crypto::SecretBytes& passphrase) {
    TPF_TRY(const auto pem, read_private_pem(fs, path));
    return crypto::RsaPrivateKey::from_pem(text_of(pem), passphrase);
}

Result<crypto::SigningKey> load_signing_key(FileSystem& fs, const Path& path, const crypto::SecretBytes& passphrase) {
    TPF_TRY(const auto pem, read_private_pem(fs, path));
    return crypto::SigningKey::from_pem(text_of(pem), passphrase);
}

}  // namespace tpf::reg
