#include <algorithm>

#include "conf/reader.h"

namespace tpf::conf {
namespace {

/// `inner` is `outer` or lies in it. Both are normal and absolute.
bool within(const Path& inner, const Path& outer) {
    const auto [in, out] = std::mismatch(inner.begin(), inner.end(), outer.begin(), outer.end());
    return out == outer.end();
}
bool overlap(const Path& a, const Path& b) {
    return within(a, b) || within(b, a);
}

/// What a kind of source needs, and what it has no use for.
struct SourceRule {
    SourceKind kind;
    std::string_view key;
    bool needed;
};
constexpr SourceRule kSourceRules[] = {
    {SourceKind::drop, "path", true},    {SourceKind::drop, "sender", true},    {SourceKind::drop, "user", false},
    {SourceKind::folder, "path", false}, {SourceKind::folder, "sender", false}, {SourceKind::folder, "user", true},
};

bool given(const Source& source, std::string_view key) {
    if (key == "path") return !source.path.empty();
    return key == "sender" ? source.sender.has_value() : !source.user.empty();
}

}  // namespace

/// Looks at a Config as a whole; each check is one function.
class Together {
  public:
    using Add = std::function<void(const std::string& key, std::string what, std::string right)>;
    Together(const Config& config, Add add) : config_(config), add_(std::move(add)) {}

    void check() const {
        check_paths();
        check_backoff();
        for (const auto& [name, source] : config_.fixed.sources) check_source(name, source);
        check_sources_differ();
        check_registers();
    }

  private:
    void check_paths() const {
        const Fixed::Paths& paths = config_.fixed.paths;
        if (overlap(paths.keyring, paths.spool)) {
            add_("paths.keyring", "the key ring and the spool lie in one another",
                 "give the key ring a folder outside of the spool: they have different readers");
        }
        if (within(paths.journal, paths.spool) || within(paths.journal, paths.keyring)) {
            add_("paths.journal", "the journal lies in the spool or the key ring", "give it a folder of its own");
        }
        if (within(paths.socket, paths.spool) || within(paths.socket, paths.keyring) || paths.socket == paths.journal) {
            add_("paths.socket", "the socket lies in the spool, the key ring or the journal's place",
                 "put it into a folder of its own");
        }
    }

    void check_backoff() const {
        const Reloadable::Forward& forward = config_.reloadable.forward;
        if (forward.backoff_max_seconds < forward.backoff_first_seconds) {
            add_("forward.backoff_max_seconds", "is less than backoff_first_seconds", "make it at least as long");
        }
    }

    void check_source(const std::string& name, const Source& source) const {
        const std::string prefix = "source." + name;
        const std::string kind(to_string(source.kind));
        for (const SourceRule& rule : kSourceRules) {
            if (rule.kind != source.kind || given(source, rule.key) == rule.needed) continue;
            const std::string key(rule.key);
            if (rule.needed) {
                add_(prefix, key + " is missing", "a source of kind " + kind + " needs it");
            } else {
                add_(prefix + "." + key, "a source of kind " + kind + " has none", "leave it out");
            }
        }
        if (source.kind == SourceKind::drop) check_drop_path(prefix, source);
    }

    void check_drop_path(const std::string& prefix, const Source& source) const {
        const Fixed::Paths& paths = config_.fixed.paths;
        for (const Path& ours : {paths.spool, paths.keyring, paths.journal.parent_path()}) {
            if (source.path.empty() || !overlap(source.path, ours)) continue;
            add_(prefix + ".path", "the drop folder and " + ours.native() + " lie in one another",
                 "give the drop folder a place of its own: others write to it");
        }
    }

    void check_sources_differ() const {
        const auto& sources = config_.fixed.sources;
        for (auto a = sources.begin(); a != sources.end(); ++a) {
            for (auto b = std::next(a); b != sources.end(); ++b) check_pair(*a, *b);
        }
    }

    using NamedSource = std::pair<const std::string, Source>;
    void check_pair(const NamedSource& a, const NamedSource& b) const {
        const Source& first = a.second;
        const Source& second = b.second;
        if (!first.path.empty() && !second.path.empty() && overlap(first.path, second.path)) {
            add_("source." + b.first + ".path",
                 "is the drop folder of source." + a.first + ", or one lies in the other",
                 "give each source a folder of its own");
        }
        if (!first.user.empty() && first.user == second.user) {
            add_("source." + b.first + ".user", "is the user of source." + a.first + " too",
                 "give each source a user of its own: it is what tells them apart");
        }
    }

    void check_registers() const {
        if (config_.reloadable.registers.empty()) {
            add_("register", "there is no register", "add one, for example [register.IPLOS] with its url");
        }
    }

    const Config& config_;
    Add add_;
};

void check_together(const Config& config, Reader& reader) {
    Together(config, [&](const std::string& key, std::string what, std::string right) {
        reader.add_at(key, std::move(what), std::move(right));
    }).check();
}

}  // namespace tpf::conf
