// The sample and the documentation are what the table gives. To write them anew after a change of the table:
// TPF_REGENERATE=1 conf_test

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/conf/samples.h"
#include "tests/support/places.h"

using namespace tpf;
using namespace tpf::conf;
using namespace tpf::conf::test;

namespace {

void compare(const char* name, const std::string& wanted) {
    const std::filesystem::path path = tpf::test::source_folder() / name;
    if (std::getenv("TPF_REGENERATE") != nullptr) {
        std::ofstream(path) << wanted;
        std::cout << "written: " << name << "\n";
        return;
    }
    std::ostringstream there;
    there << std::ifstream(path).rdbuf();
    const bool same = there.str() == wanted;
    CHECK_MESSAGE(same, name << " is not what the settings table gives; run TPF_REGENERATE=1 conf_test");
}

/// The sample with its settings (all of them, or only those that stand for themselves) in force.
std::string uncommented(const std::string& text) {
    std::istringstream in(text);
    std::string out;
    for (std::string line; std::getline(in, line);) {
        const bool setting = line.starts_with("#") && !line.starts_with("# ");
        out += (setting ? line.substr(1) : line) + "\n";
    }
    return out;
}

}  // namespace

TEST_SUITE("conf/generated") {
    TEST_CASE("conf/tpf.toml.sample is the table's") {
        compare("conf/tpf.toml.sample", sample());
    }
    TEST_CASE("docs/configuration.md is the table's") {
        compare("docs/configuration.md", documentation_markdown());
    }

    TEST_CASE("the sample loads as it is: all defaults") {
        Config config = good(sample());
        config.reloadable.registers = good(minimal()).reloadable.registers;
        CHECK(config == good(minimal()));
    }

    TEST_CASE("the sample loads with every setting said, and says what was the case anyway, but for its sources") {
        Config config = good(uncommented(sample()));
        CHECK(config.fixed.sources.size() == 2);
        config.fixed.sources.clear();
        CHECK(config == good(sample()));
    }
}
