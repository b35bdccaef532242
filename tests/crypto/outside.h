#pragma once
// What comes from outside the project: test vectors, and the OpenSSL command line. A test whose outside half is absent
// says so by name and returns.

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/encoding.h"
#include "tests/support/temp_folder.h"
#include "tests/support/vectors.h"

namespace tpf::test {

inline std::optional<std::string> outside_file(const std::string& name) {
    if (std::filesystem::is_regular_file(vectors() / name)) return read_whole(vectors() / name);
    skipped(name);
    return std::nullopt;
}

inline std::optional<nlohmann::json> wycheproof(const std::string& name) {
    const auto text = outside_file("wycheproof/" + name);
    if (!text) return std::nullopt;
    return nlohmann::json::parse(*text);
}

inline Bytes unhex(const nlohmann::json& value) {
    return from_hex(value.get<std::string>()).value();
}

/// The OpenSSL command line, run in a folder of its own.
class OpenSsl {
  public:
    [[nodiscard]] static bool absent(const char* test) {
        if (std::system("openssl version >/dev/null 2>&1") == 0) return false;
        std::printf("SKIPPED: %s: no openssl program\n", test);
        return true;
    }
    /// True when it exited with 0.
    [[nodiscard]] bool run(const std::string& arguments) const {
        return std::system(
                   ("cd " + folder_.path().string() + " && openssl " + arguments + " >out.txt 2>err.txt").c_str()) == 0;
    }
    [[nodiscard]] std::string read(const std::string& name) const { return read_whole(folder_ / name); }
    void write(const std::string& name, std::string_view content) const { spill(folder_ / name, content); }

  private:
    TempFolder folder_;
};

}  // namespace tpf::test
