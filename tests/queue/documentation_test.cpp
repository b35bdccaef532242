// docs/spool-format.md shows records: they are ones that we read, and would write the same.
#include <doctest/doctest.h>

#include <sstream>

#include "queue/copy_line.h"
#include "queue/records.h"
#include "queue/row_store.h"
#include "tests/queue/fixtures.h"
#include "tests/support/places.h"

namespace tpf::queue::test {
namespace {

std::string documentation() {
    return content(tpf::test::source_folder() / "docs" / "spool-format.md");
}

}  // namespace

TEST_SUITE("queue/documentation") {
    TEST_CASE("the worked example's records") {
        std::istringstream lines(documentation());
        int kilde = 0, post = 0, svar = 0, checkpoint = 0;
        for (std::string line; std::getline(lines, line);) {
            if (!line.starts_with("{\"form\":") || line.starts_with("{\"form\":\"tpf-copy")) continue;
            const std::string record = line + "\n";
            if (const auto one = parse_kilde(record)) {
                ++kilde;
                CHECK(one.value().size == 19);
                CHECK(one.value().sha256 == digest_of("en kryptert melding"));
                CHECK(get(write_kilde(one.value())) == record);
            } else if (const auto other = parse_post(record)) {
                ++post;
                CHECK(other.value().sha256 == digest_of("ut:en kryptert melding"));
                CHECK(get(write_post(other.value())) == record);
            } else if (const auto sent = parse_checkpoint(record)) {
                ++checkpoint;
                CHECK(sent.value().old_size == 4711);
                CHECK(get(write_checkpoint(sent.value())) == record);
            } else {
                ++svar;
                CHECK(get(write_svar(get(parse_svar(record)))) == record);
            }
        }
        CHECK(kilde == 1);
        CHECK(post == 1);
        CHECK(svar == 1);
        CHECK(checkpoint == 1);
    }

    TEST_CASE("the example line of the journal's copy") {
        std::istringstream lines(documentation());
        int found = 0;
        for (std::string line; std::getline(lines, line);) {
            if (!line.starts_with("{\"form\":\"tpf-copy-2\"")) continue;
            ++found;
            const CopyLine one = get(parse_copy_line(line));
            CHECK(one.seq == 1);
            CHECK(hex(audit::leaf_hash(one.canonical)) == one.root);  // of a tree of one leaf
            CHECK(get(audit::parse_entry(one.canonical)).seq == 1);
        }
        CHECK(found == 1);
    }

    TEST_CASE("every column of messages and every state is named") {
        const std::string text = documentation();
        std::istringstream columns(store::select_rows().substr(sizeof("SELECT ") - 1));
        std::string list;
        columns >> list;
        std::istringstream names(list);
        int count = 0;
        for (std::string name; std::getline(names, name, ',');) {
            CHECK_MESSAGE(text.find("`" + name + "`") != std::string::npos, name);
            ++count;
        }
        CHECK(count == 40);
        for (const State state : kStates) CHECK(text.find(to_string(state)) != std::string::npos);
    }
}

}  // namespace tpf::queue::test
