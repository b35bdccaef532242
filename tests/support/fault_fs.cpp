#include "tests/support/fault_fs.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

namespace tpf::test {
namespace {

std::string read_all(const Path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

const char* to_string(Call call) noexcept {
    switch (call) {
        case Call::open_read:
            return "open_read";
        case Call::read:
            return "read";
        case Call::create:
            return "create";
        case Call::write:
            return "write";
        case Call::sync_file:
            return "sync_file";
        case Call::info:
            return "info";
        case Call::may_change:
            return "may_change";
        case Call::make_folder:
            return "make_folder";
        case Call::list:
            return "list";
        case Call::rename:
            return "rename";
        case Call::replace:
            return "replace";
        case Call::sync_folder:
            return "sync_folder";
        case Call::remove_file:
            return "remove_file";
        case Call::remove_tree:
            return "remove_tree";
        case Call::free_bytes:
            return "free_bytes";
    }
    return "?";
}

/// What is there (live) and what a power cut would leave (durable), as nodes that know their place in both.
class FaultFs::Model {
  public:
    struct Node;
    using NodePtr = std::shared_ptr<Node>;
    struct Place {
        Node* parent = nullptr;  // null: nowhere
        std::string name;
        friend bool operator==(const Place&, const Place&) = default;
    };
    struct Node {
        bool folder = false;
        mode_t mode = 0;
        Place live, durable;
        std::string bytes, durable_bytes;
        bool replaced = false;     // moved over: it goes when the other's arrival lasts, not by itself
        bool sync_broken = false;  // a sync failed: what was not durable then never will be
    };

    explicit Model(Path root) : root_(std::move(root)) {
        root_node_ = std::make_shared<Node>();
        root_node_->folder = true;
    }

    /// The node at `path`; one that came about without us is taken over as durable. Null: nothing there, or outside.
    Node* find(const Path& path) {
        const Path relative = path.lexically_relative(root_);
        if (relative.empty() || *relative.begin() == "..") return nullptr;
        Node* at = root_node_.get();
        Path so_far = root_;
        for (const Path& part : relative) {
            if (part == "." || part.empty()) continue;
            so_far /= part;
            Node* next = child(at, part.string());
            if (next == nullptr) next = adopt(at, so_far);
            if (next == nullptr) return nullptr;
            at = next;
        }
        return at;
    }

    Node* add(const Path& path, bool folder, mode_t mode) {
        Node* parent = find(path.parent_path());
        if (parent == nullptr) return nullptr;
        auto node = std::make_shared<Node>();
        node->folder = folder;
        node->mode = mode;
        node->live = {parent, path.filename().string()};
        nodes_.push_back(node);
        return node.get();
    }

    void move(Node* node, const Path& to) {
        if (node != nullptr) node->live = {find(to.parent_path()), to.filename().string()};
    }

    void replace(Node* node, Node* old, const Path& to) {
        if (old != nullptr) old->replaced = true;
        remove(old);
        move(node, to);
    }

    void remove(Node* node) {
        if (node == nullptr) return;
        for (const NodePtr& other : nodes_) {
            if (other->live.parent == node) remove(other.get());
        }
        node->live = {};
    }

    void sync_file(Node* node) {
        if (node != nullptr && !node->sync_broken) node->durable_bytes = node->bytes;
    }

    void sync_folder(Node* folder) {
        if (folder == nullptr || folder->sync_broken) return;
        for (const NodePtr& node : nodes_) {
            if (node->live.parent == folder || node->durable.parent == folder) node->durable = node->live;
        }
    }

    /// Decides what is left, and makes the real folder so.
    void crash(Loss loss, std::uint64_t seed) {
        const std::vector<Path> before = live_paths();
        std::mt19937_64 random(seed);
        for (const NodePtr& node : nodes_) {
            if (loss == Loss::random) toss(*node, random);
            node->bytes = node->durable_bytes;
        }
        // A new name that lasted has taken the place of what was there.
        for (const NodePtr& node : nodes_) {
            if (node->durable.parent == nullptr || node->durable != node->live) continue;
            for (const NodePtr& other : nodes_) {
                if (other != node && other->durable == node->durable && other->live != other->durable)
                    other->durable = {};
            }
        }
        for (const NodePtr& node : nodes_) {
            node->live = node->durable;
            node->sync_broken = false;
        }
        // All stay alive until each was asked: a node's parent may be one that goes.
        std::vector<NodePtr> left;
        std::copy_if(nodes_.begin(), nodes_.end(), std::back_inserter(left),
                     [this](const NodePtr& node) { return reachable(*node); });
        nodes_ = std::move(left);
        rebuild(before);
    }

  private:
    Node* child(const Node* parent, const std::string& name) const {
        for (const NodePtr& node : nodes_) {
            if (node->live.parent == parent && node->live.name == name) return node.get();
        }
        return nullptr;
    }

    Node* adopt(Node* parent, const Path& path) {
        struct stat st {};
        if (::lstat(path.c_str(), &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) return nullptr;
        auto node = std::make_shared<Node>();
        node->folder = S_ISDIR(st.st_mode);
        node->mode = st.st_mode & 07777;
        node->live = node->durable = {parent, path.filename().string()};
        if (!node->folder) node->bytes = node->durable_bytes = read_all(path);
        nodes_.push_back(node);
        return node.get();
    }

    static void toss(Node& node, std::mt19937_64& random) {
        if (node.sync_broken) return;
        if (!node.replaced && random() % 2 == 0) node.durable = node.live;
        if (node.folder || node.bytes == node.durable_bytes) return;
        switch (random() % 4) {
            case 0:
                break;
            case 1:
                node.durable_bytes = node.bytes;
                break;
            case 2:
                node.durable_bytes = node.bytes.substr(0, random() % (node.bytes.size() + 1));
                break;
            default:
                node.durable_bytes.assign(node.bytes.size(), '\0');
                break;
        }
    }

    [[nodiscard]] bool reachable(const Node& node) const {
        const Node* at = &node;
        while (at != root_node_.get()) {
            if (at->live.parent == nullptr) return false;
            at = at->live.parent;
        }
        return true;
    }

    [[nodiscard]] Path path_of(const Node& node) const {
        if (&node == root_node_.get()) return root_;
        return path_of(*node.live.parent) / node.live.name;
    }

    [[nodiscard]] std::vector<Path> live_paths() const {
        std::vector<Path> paths;
        for (const NodePtr& node : nodes_) {
            if (reachable(*node)) paths.push_back(path_of(*node));
        }
        std::sort(paths.begin(), paths.end());  // folders before what is in them
        return paths;
    }

    void rebuild(const std::vector<Path>& before) {
        std::error_code ignored;  // a folder that holds files which are not ours stays
        for (auto path = before.rbegin(); path != before.rend(); ++path) std::filesystem::remove(*path, ignored);
        std::vector<std::pair<Path, const Node*>> now;
        for (const NodePtr& node : nodes_) now.emplace_back(path_of(*node), node.get());
        std::sort(now.begin(), now.end());
        for (const auto& [path, node] : now) {
            if (node->folder) {
                std::filesystem::create_directory(path, ignored);
            } else {
                std::ofstream(path, std::ios::binary) << node->bytes;
            }
            static_cast<void>(::chmod(path.c_str(), node->mode));
        }
    }

    Path root_;
    NodePtr root_node_;
    std::vector<NodePtr> nodes_;
};

class FaultFs::FaultFile final : public File {
  public:
    FaultFile(FaultFs& fs, Path path, std::unique_ptr<File> real, Model::Node* node)
        : fs_(&fs), path_(std::move(path)), real_(std::move(real)), node_(node), life_(fs.life_) {}

    Result<std::size_t> read(std::span<std::uint8_t> to) override {
        const std::lock_guard lock(fs_->mutex_);
        TPF_TRY(alive());
        TPF_TRY(const Verdict verdict, fs_->enter(Call::read, path_));
        static_cast<void>(verdict);
        TPF_TRY(const std::size_t size, real_->read(to));
        offset_ += size;
        return size;
    }
    Status write(std::span<const std::uint8_t> from) override {
        const std::lock_guard lock(fs_->mutex_);
        TPF_TRY(alive());
        const auto verdict = fs_->enter(Call::write, path_);
        if (!verdict) return fail(verdict.error());
        if (verdict.value() == Verdict::go) return put(from);
        TPF_TRY(put(from.first(from.size() / 2)));
        if (fs_->stopped_) throw Stopped();
        return fail(Code::disk_full, "write " + path_.string() + ": injected");
    }
    Status sync() override {
        const std::lock_guard lock(fs_->mutex_);
        TPF_TRY(alive());
        const auto verdict = fs_->enter(Call::sync_file, path_);
        if (!verdict) {
            if (node_ != nullptr) node_->sync_broken = true;
            return fail(verdict.error());
        }
        if (verdict.value() == Verdict::go) fs_->model_->sync_file(node_);
        return ok();
    }
    void start_writeback() noexcept override {}
    Status seek(std::uint64_t offset) override {
        const std::lock_guard lock(fs_->mutex_);
        TPF_TRY(alive());
        offset_ = offset;
        return real_->seek(offset);
    }
    [[nodiscard]] const File& real() const noexcept { return *real_; }

  private:
    [[nodiscard]] Status alive() const {
        if (life_ != fs_->life_) return fail(Code::internal, "a file of an earlier life");
        return ok();
    }
    Status put(std::span<const std::uint8_t> bytes) {
        TPF_TRY(real_->write(bytes));
        if (node_ != nullptr) {
            const std::size_t end = static_cast<std::size_t>(offset_) + bytes.size();
            if (node_->bytes.size() < end) node_->bytes.resize(end);
            std::copy(bytes.begin(), bytes.end(), node_->bytes.begin() + static_cast<std::ptrdiff_t>(offset_));
        }
        offset_ += bytes.size();
        return ok();
    }

    FaultFs* fs_;
    Path path_;
    std::unique_ptr<File> real_;
    Model::Node* node_;
    std::uint64_t life_;
    std::uint64_t offset_ = 0;
};

FaultFs::FaultFs(Path root, FileSystem& real)
    : root_(std::move(root)), real_(&real), model_(std::make_unique<Model>(root_)) {}
FaultFs::~FaultFs() = default;

std::uint64_t FaultFs::calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
}
void FaultFs::reset_count() {
    const std::lock_guard lock(mutex_);
    calls_ = 0;
}
void FaultFs::arm(Fault fault) {
    const std::lock_guard lock(mutex_);
    faults_.push_back(fault);
    fired_.clear();
}
void FaultFs::stop_at(std::uint64_t n) {
    arm({Fault::Kind::stop, std::nullopt, n, Code::internal});
}
void FaultFs::fail_at(std::uint64_t n, Code code) {
    arm({Fault::Kind::fail, std::nullopt, n, code});
}
void FaultFs::fail_at(Call kind, std::uint64_t n, Code code) {
    arm({Fault::Kind::fail, kind, n, code});
}
void FaultFs::short_write_at(std::uint64_t n) {
    arm({Fault::Kind::short_write, Call::write, n, Code::disk_full});
}
void FaultFs::drop_syncs(Call kind, std::function<bool(const Path&)> match) {
    const std::lock_guard lock(mutex_);
    dropped_.emplace_back(kind, std::move(match));
}
void FaultFs::set_free_bytes(std::optional<std::uint64_t> bytes, const Path& under) {
    const std::lock_guard lock(mutex_);
    free_ = bytes;
    free_under_ = under;
}
std::string FaultFs::fired() const {
    const std::lock_guard lock(mutex_);
    return fired_;
}

void FaultFs::crash(Loss loss, std::uint64_t seed) {
    const std::lock_guard lock(mutex_);
    faults_.clear();
    dropped_.clear();
    stopped_ = false;
    ++life_;
    if (loss != Loss::none) model_->crash(loss, seed);
}

Result<FaultFs::Verdict> FaultFs::enter(Call call, const Path& path) {
    if (stopped_) return fail(Code::internal, "the process has ended");
    ++calls_;
    for (Fault& fault : faults_) {
        if (fault.left == 0 || (fault.call && *fault.call != call)) continue;
        if (--fault.left == 0) return fire(fault, call, path);
    }
    for (const auto& [kind, match] : dropped_) {
        if (kind == call && match(path)) return Verdict::drop;
    }
    return Verdict::go;
}

Result<FaultFs::Verdict> FaultFs::fire(const Fault& fault, Call call, const Path& path) {
    fired_ = std::string(to_string(call)) + " " + path.lexically_relative(root_).string();
    if (fault.kind == Fault::Kind::stop) stopped_ = true;
    const bool divisible = call == Call::write || (call == Call::remove_tree && stopped_);
    if (divisible && fault.kind != Fault::Kind::fail) return Verdict::half;
    if (fault.kind == Fault::Kind::stop) throw Stopped();
    const bool sync = call == Call::sync_file || call == Call::sync_folder;
    return fail(sync ? Code::fsync_failed : fault.code, fired_ + ": injected");
}

Result<std::unique_ptr<File>> FaultFs::open_read(const Path& path) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::open_read, path));
    static_cast<void>(verdict);
    TPF_TRY(auto file, real_->open_read(path));
    return std::unique_ptr<File>(std::make_unique<FaultFile>(*this, path, std::move(file), model_->find(path)));
}

Result<std::unique_ptr<File>> FaultFs::create(const Path& path, mode_t mode) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::create, path));
    static_cast<void>(verdict);
    TPF_TRY(auto file, real_->create(path, mode));
    return std::unique_ptr<File>(
        std::make_unique<FaultFile>(*this, path, std::move(file), model_->add(path, false, mode)));
}

Result<FileInfo> FaultFs::info(const Path& path) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::info, path));
    static_cast<void>(verdict);
    return real_->info(path);
}

Result<FileInfo> FaultFs::info(const File& file) {
    return real_->info(dynamic_cast<const FaultFile&>(file).real());
}

Status FaultFs::may_change(const Path& folder) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::may_change, folder));
    static_cast<void>(verdict);
    return real_->may_change(folder);
}

Status FaultFs::make_folder(const Path& path, mode_t mode) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::make_folder, path));
    static_cast<void>(verdict);
    TPF_TRY(real_->make_folder(path, mode));
    model_->add(path, true, mode);
    return ok();
}

Result<std::vector<std::string>> FaultFs::list(const Path& folder) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::list, folder));
    static_cast<void>(verdict);
    return real_->list(folder);
}

Status FaultFs::rename(const Path& from, const Path& to) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::rename, from));
    static_cast<void>(verdict);
    Model::Node* node = model_->find(from);
    TPF_TRY(real_->rename(from, to));
    model_->move(node, to);
    return ok();
}

Status FaultFs::replace(const Path& from, const Path& to) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::replace, from));
    static_cast<void>(verdict);
    Model::Node* node = model_->find(from);
    Model::Node* old = model_->find(to);
    TPF_TRY(real_->replace(from, to));
    model_->replace(node, old, to);
    return ok();
}

Status FaultFs::sync_folder(const Path& folder) {
    const std::lock_guard lock(mutex_);
    const auto verdict = enter(Call::sync_folder, folder);
    Model::Node* node = model_->find(folder);
    if (!verdict) {
        if (node != nullptr) node->sync_broken = true;
        return fail(verdict.error());
    }
    if (node == nullptr && folder != root_) return real_->sync_folder(folder);
    if (verdict.value() == Verdict::go) model_->sync_folder(node);
    return ok();
}

Status FaultFs::remove_file(const Path& path) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::remove_file, path));
    static_cast<void>(verdict);
    Model::Node* node = model_->find(path);
    TPF_TRY(real_->remove_file(path));
    model_->remove(node);
    return ok();
}

Status FaultFs::remove_tree(const Path& path) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::remove_tree, path));
    if (verdict == Verdict::half) {
        remove_first_of(path);
        throw Stopped();
    }
    Model::Node* node = model_->find(path);
    TPF_TRY(real_->remove_tree(path));
    model_->remove(node);
    return ok();
}

void FaultFs::remove_first_of(const Path& folder) {
    const auto names = real_->list(folder);
    if (!names || names.value().empty()) return;
    const Path first = folder / names.value().front();
    Model::Node* node = model_->find(first);
    if (real_->remove_tree(first)) model_->remove(node);
}

Result<std::uint64_t> FaultFs::free_bytes(const Path& path) {
    const std::lock_guard lock(mutex_);
    TPF_TRY(const Verdict verdict, enter(Call::free_bytes, path));
    static_cast<void>(verdict);
    return free_ && path.string().starts_with(free_under_.string()) ? *free_ : real_->free_bytes(path);
}

}  // namespace tpf::test
