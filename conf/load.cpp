#include <exception>
#include <system_error>

#include "conf/config.h"
#include "conf/node.h"
#include "conf/reader.h"

namespace tpf::conf {
namespace {

auto fault(const Path& file, std::string what, std::string right) {
    return boost::outcome_v2::failure(Problems{{file.native(), {}, "", std::move(what), std::move(right)}});
}

}  // namespace

Checked<Config> parse(std::string_view text, std::string_view name) {
    auto root = read_toml(text, name);
    if (!root) return boost::outcome_v2::failure(std::move(root).error());
    Reader reader(name);
    Config config = reader.read(root.value());
    Problems problems = std::move(reader).problems();
    if (!problems.empty()) return boost::outcome_v2::failure(std::move(problems));
    return config;
}

Checked<Config> load(FileSystem& fs, const Path& file) {
    std::error_code error;
    const Path real = std::filesystem::canonical(file, error);
    if (error) return fault(file, error.message(), "name a configuration file that this user can read");
    const auto text = read_small(fs, real, kMaxFileBytes);
    if (!text) return fault(file, text.error().text(), "a configuration is a readable file of at most 1 MiB");
    return parse(text.value(), file.native());
}

Checked<Config> load(const Path& file) {
    return load(posix_file_system(), file);
}

}  // namespace tpf::conf
