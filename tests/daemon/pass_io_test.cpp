#include "daemon/pass_io.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "tests/support/memory_file.h"

using namespace tpf;
using daemon::DirectPassIo;
using daemon::PassIo;
using daemon::ThreadedPassIo;
using test::MemoryFile;

namespace {

using namespace std::chrono_literals;

std::string numbered(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + " ";
    return text.substr(0, size);
}

/// Carries the input to the output unchanged; sleeps where told.
std::string carry(PassIo& io, std::chrono::microseconds pause) {
    std::string seen;
    while (true) {
        const auto piece = io.next();
        REQUIRE(piece);
        if (piece.value().empty()) break;
        seen += as_text(piece.value());
        TextBuffer out;
        out.append(as_text(piece.value()));
        REQUIRE(io.write(out));
        out.clear();
        std::this_thread::sleep_for(pause);
    }
    REQUIRE(io.finish());
    return seen;
}

/// Counts the reads, and is slow on demand.
class CountingFile final : public File {
  public:
    CountingFile(std::string text, std::chrono::microseconds pause) : file_(std::move(text)), pause_(pause) {}
    Result<std::size_t> read(std::span<std::uint8_t> to) override {
        std::this_thread::sleep_for(pause_);
        ++reads;
        return file_.read(to);
    }
    Status write(std::span<const std::uint8_t> from) override {
        std::this_thread::sleep_for(pause_);
        ++writes;
        return file_.write(from);
    }
    Status sync() override { return ok(); }
    void start_writeback() noexcept override {}
    Status seek(std::uint64_t offset) override { return file_.seek(offset); }
    [[nodiscard]] const std::string& text() const noexcept { return file_.text; }
    std::atomic<int> reads = 0;
    std::atomic<int> writes = 0;

  private:
    MemoryFile file_;
    std::chrono::microseconds pause_;
};

}  // namespace

TEST_SUITE("daemon/pass_io") {
    TEST_CASE("every byte comes once and in order, whichever side is the slower") {
        const std::string text = numbered(60'001);
        for (const auto pass_pause : {0us, 200us}) {
            for (const auto file_pause : {0us, 200us}) {
                CountingFile input(text, file_pause);
                CountingFile output({}, file_pause);
                ThreadedPassIo io(input, &output, 1000);
                CHECK(carry(io, pass_pause) == text);
                CHECK(output.text() == text);
                CHECK(io.input_digest() == sha256(text));
            }
        }
        MemoryFile input(text);
        MemoryFile output;
        DirectPassIo direct(input, &output, 1000);
        CHECK(carry(direct, 0us) == text);
        CHECK(output.text == text);
        CHECK(direct.input_digest() == sha256(text));
    }

    TEST_CASE("the thread is a few pieces ahead at the most") {
        CountingFile input(numbered(100'000), 0us);
        CountingFile output({}, 0us);
        ThreadedPassIo io(input, &output, 1000);
        for (int taken = 1; taken <= 20; ++taken) {
            REQUIRE(io.next());
            std::this_thread::sleep_for(2ms);
            CHECK(input.reads.load() <= taken + 5);
        }
    }

    TEST_CASE("what cannot be read is told, and told again") {
        MemoryFile input(numbered(10'000));
        input.read_failure = 5'500;
        ThreadedPassIo io(input, nullptr, 1000);
        std::string seen;
        auto piece = io.next();
        for (; piece && !piece.value().empty(); piece = io.next()) seen += as_text(piece.value());
        REQUIRE_FALSE(piece);
        CHECK(piece.error().code() == Code::io);
        CHECK(seen == input.text.substr(0, 5'500));
        CHECK(io.next().error().code() == Code::io);
        CHECK(io.finish());
    }

    TEST_CASE("what cannot be written is told by a later write, by finish() at the latest") {
        const std::string piece(100, 'x');
        for (const std::size_t room : {std::size_t{0}, std::size_t{250}}) {
            MemoryFile input("input");
            MemoryFile output;
            output.write_failure = room;
            ThreadedPassIo io(input, &output, 1000);
            int accepted = 0;
            for (; accepted < 1000; ++accepted) {
                TextBuffer buffer;
                buffer.append(piece);
                if (!io.write(buffer)) break;
            }
            CHECK(accepted < 1000);
            const Status finished = io.finish();
            REQUIRE_FALSE(finished);
            CHECK(finished.error().code() == Code::disk_full);
            CHECK(output.text.size() == room / 100 * 100);
        }
        MemoryFile input("input");
        MemoryFile output;
        output.write_failure = 0;
        ThreadedPassIo io(input, &output, 1000);
        TextBuffer buffer;
        buffer.append(piece);
        REQUIRE(io.write(buffer));
        CHECK_FALSE(io.finish());
    }

    TEST_CASE("given up before finish(): it ends, and does not write what was left") {
        CountingFile input(numbered(100'000), 0us);
        CountingFile output({}, 20ms);
        {
            ThreadedPassIo io(input, &output, 1000);
            for (int i = 0; i < 4; ++i) {
                TextBuffer buffer;
                buffer.append("piece");
                REQUIRE(io.write(buffer));
            }
        }
        CHECK(output.writes.load() <= 2);
    }
}
