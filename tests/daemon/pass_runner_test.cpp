#include "daemon/pass_runner.h"

#include <doctest/doctest.h>

#include "base/encoding.h"
#include "tests/support/memory_file.h"
#include "tests/support/pass_harness.h"

using namespace tpf;
using daemon::Lifecycle;
using daemon::PassRun;
using test::MemoryFile;

namespace {

/// A submission of about so many bytes.
test::SubmissionBuilder sized(std::size_t bytes) {
    test::SubmissionBuilder builder;
    if (bytes > 10000) builder.persons[0].content = std::string(bytes * 9 / 16, 'x');
    return builder;
}

PassRun run(const std::string& document, File* output, std::size_t read_failure = SIZE_MAX, bool cut = false) {
    const test::TestKeys keys;
    Lifecycle lifecycle(-1);
    if (cut) lifecycle.cut_short();
    MemoryFile input(document);
    input.read_failure = read_failure;
    return daemon::run_pass(keys, {}, {input, document.size(), output}, lifecycle);
}

// Below and above the size from which the work is divided among threads.
constexpr std::size_t kSizes[] = {5000, 200'000, 9'000'000};

}  // namespace

TEST_SUITE("daemon/pass_runner") {
    TEST_CASE("the same as the pass itself, its digests and lengths those of the bytes") {
        for (const std::size_t size : kSizes) {
            CAPTURE(size);
            const std::string document = sized(size).build();
            const test::PassAnswer expected = test::run_pass(test::TestKeys(), document);
            REQUIRE(expected.report);
            MemoryFile output;
            const PassRun result = run(document, &output);
            REQUIRE(result.report);
            CHECK(output.text == expected.output);
            CHECK(result.input_bytes == document.size());
            CHECK(result.output_bytes == output.text.size());
            CHECK(result.input_digest == sha256(document));
            CHECK(result.output_digest == sha256(output.text));
            CHECK(result.report.value().persons == 2);
            CHECK(result.authentic);
            REQUIRE(result.clear_header);
            CHECK(result.clear_header->avsender.str() == "0301-00-974761076");
            CHECK(result.key_id->str() == "TPF-2026");
        }
    }

    TEST_CASE("a dry run finds the same and writes nothing") {
        for (const std::size_t size : kSizes) {
            CAPTURE(size);
            const std::string document = sized(size).build();
            MemoryFile output;
            const PassRun real = run(document, &output);
            const PassRun dry = run(document, nullptr);
            REQUIRE(dry.report);
            CHECK(dry.output_digest == real.output_digest);
            CHECK(dry.output_bytes == real.output_bytes);
        }
    }

    TEST_CASE("after a fault of the message the digest is still of all its bytes") {
        for (const std::size_t size : kSizes) {
            CAPTURE(size);
            auto builder = sized(size);
            builder.edit(test::SubmissionBuilder::Stage::document, "<i:Avsender>", "<!-- x --><i:Avsender>");
            const std::string document = builder.build();
            MemoryFile output;
            const PassRun result = run(document, &output);
            REQUIRE_FALSE(result.report);
            CHECK(result.report.error().code() == Code::not_allowed);
            CHECK(result.input_digest == sha256(document));
            CHECK(result.input_bytes == document.size());
            CHECK_FALSE(result.authentic);
        }
    }

    TEST_CASE("persons without a pseudonym are told even where the message is stopped") {
        auto builder = sized(0);
        builder.persons[1].number = "";
        const std::string document = builder.build();
        test::TestKeys keys;
        keys.quarantine_invalid = true;
        const Lifecycle lifecycle(-1);
        MemoryFile input(document);
        const PassRun result = daemon::run_pass(keys, {}, {input, document.size(), nullptr}, lifecycle);
        REQUIRE_FALSE(result.report);
        CHECK(result.report.error().code() == Code::invalid_number);
        CHECK(result.authentic);
        CHECK(result.marked.count() == 1);
        CHECK(result.marked.next(0)->person == 2);
    }

    TEST_CASE("a file that cannot be read is not the message's fault") {
        for (const std::size_t size : kSizes) {
            const std::string document = sized(size).build();
            for (const std::size_t at : {std::size_t{0}, document.size() / 2, document.size()}) {
                CAPTURE(size);
                CAPTURE(at);
                MemoryFile output;
                const PassRun result = run(document, &output, at);
                REQUIRE_FALSE(result.report);
                CHECK(result.report.error().code() == Code::io);
            }
        }
    }

    TEST_CASE("a full disk is not the message's fault") {
        for (const std::size_t size : kSizes) {
            const std::string document = sized(size).build();
            MemoryFile whole;
            REQUIRE(run(document, &whole).report);
            for (const std::size_t room : {std::size_t{0}, whole.text.size() / 2, whole.text.size() - 1}) {
                CAPTURE(size);
                CAPTURE(room);
                MemoryFile output;
                output.write_failure = room;
                const PassRun result = run(document, &output);
                REQUIRE_FALSE(result.report);
                CHECK(result.report.error().code() == Code::disk_full);
            }
        }
    }

    TEST_CASE("cut short: done again another time") {
        for (const std::size_t size : kSizes) {
            const PassRun result = run(sized(size).build(), nullptr, SIZE_MAX, true);
            REQUIRE_FALSE(result.report);
            CHECK(result.report.error().code() == Code::unavailable);
        }
    }

    TEST_CASE("an empty file") {
        const PassRun result = run("", nullptr);
        REQUIRE_FALSE(result.report);
        CHECK(result.report.error().code() == Code::truncated);
        CHECK(result.input_digest == sha256(""));
    }
}
