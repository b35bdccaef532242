#pragma once
// Configuration texts for the tests.

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "conf/config.h"

namespace tpf::conf::test {

inline constexpr std::string_view kInstallation = R"([installation]
name = "tpf-test"
kind = "test"
)";
inline constexpr std::string_view kRegister = R"([register.IPLOS]
url = "https://register.example.no:8443/api"
ca_file = "/etc/tpf/ca.pem"
client_certificate = "/etc/tpf/client.pem"
client_key = "/etc/tpf/client.key"
)";
/// The least that loads: nine lines.
inline std::string minimal(std::string_view more = {}) {
    return std::string(kInstallation) + std::string(kRegister) + std::string(more);
}

inline Config good(const std::string& text) {
    auto config = parse(text);
    REQUIRE_MESSAGE(config, text << "\n" << (config ? std::string() : tpf::conf::text(config.error())));
    return config.value();
}
inline Problems bad(const std::string& content) {
    auto config = parse(content);
    REQUIRE_MESSAGE(!config, "loads, but should not:\n" << content);
    REQUIRE(!config.error().empty());
    return config.error();
}
inline Problem one_bad(const std::string& content) {
    const Problems problems = bad(content);
    CHECK_MESSAGE(problems.size() == 1, text(problems));
    return problems.front();
}

}  // namespace tpf::conf::test
