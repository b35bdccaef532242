#include "register/store.h"

#include <doctest/doctest.h>

#include "base/encoding.h"
#include "tests/support/fault_fs.h"
#include "tests/support/temp_folder.h"

using namespace tpf;
using namespace tpf::reg;
using test::TempFolder;

namespace {

const MessageName& name() {
    static const auto parsed = MessageName::parse("0301-00-974761076-7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11").value();
    return parsed;
}

StoredMessage message(Receipt::Status status, std::string token) {
    return {{status, std::move(token), name().str(), "00ff", "2027-01-04T09:30:00Z", "c2ln"}, 3, 5};
}

std::unique_ptr<Store> open_store(const Path& path) {
    auto opened = Store::open(posix_file_system(), path);
    REQUIRE(opened.has_value());
    return std::move(opened).value();
}

Status take(Store& store, const StoredMessage& what) {
    TPF_TRY(Draft draft, store.begin());
    TPF_TRY(draft.write(as_bytes("hello")));
    return store.commit(std::move(draft), what);
}

/// One delivery into a new store, ended by the fault that `fs` was given.
bool deliver(test::FaultFs& fs, const Path& path) {
    try {
        auto opened = Store::open(fs, path);
        return opened && take(*opened.value(), message(Receipt::Status::received, "K-1"));
    } catch (const test::Stopped&) {
        return false;
    }
}

/// What a start finds after that: the whole of the delivery (true) or nothing of it.
bool found_whole(FileSystem& fs, const Path& path) {
    const auto store = Store::open(fs, path);
    REQUIRE(store.has_value());
    const auto receipt = store.value()->find(name());
    REQUIRE_MESSAGE(receipt.has_value(), "half an entry");
    if (!receipt.value()) return false;
    CHECK(receipt.value()->token == "K-1");
    CHECK(read_small(fs, path / "meldinger" / name().str() / "melding.xml", 100).value() == "hello");
    return true;
}

}  // namespace

TEST_SUITE("register/store") {
    TEST_CASE("a decision is there when commit returns, and after another start") {
        const TempFolder folder;
        const Path path = folder.path() / "store";
        const StoredMessage stored = message(Receipt::Status::received, "K-1");
        {
            const auto store = open_store(path);
            CHECK_FALSE(store->find(name()).value().has_value());
            REQUIRE(take(*store, stored).has_value());
            CHECK(store->find(name()).value() == stored.receipt);
        }
        const auto store = open_store(path);
        CHECK(store->find(name()).value() == stored.receipt);
        CHECK(read_small(posix_file_system(), path / "meldinger" / name().str() / "melding.xml", 100).value() ==
              "hello");
        CHECK(std::filesystem::is_empty(path / "tmp"));
        std::uint64_t count = 0;
        REQUIRE(for_each_message(posix_file_system(), path, [&](const StoredMessage& m) {
                    CHECK(m.persons == 3);
                    CHECK(m.bytes == 5);
                    ++count;
                    return ok();
                }).has_value());
        CHECK(count == 1);
    }

    TEST_CASE("a name is decided once") {
        const TempFolder folder;
        const auto store = open_store(folder.path() / "store");
        REQUIRE(take(*store, message(Receipt::Status::received, "K-1")).has_value());
        CHECK_FALSE(take(*store, message(Receipt::Status::received, "K-2")).has_value());
        CHECK(store->find(name()).value()->token == "K-1");
        CHECK(std::filesystem::is_empty(folder.path() / "store" / "tmp"));
    }

    TEST_CASE("of what is refused only the decision is kept") {
        const TempFolder folder;
        const auto store = open_store(folder.path() / "store");
        REQUIRE(take(*store, message(Receipt::Status::refused, "IDENTITET")).has_value());
        CHECK(store->find(name()).value()->status == Receipt::Status::refused);
        const Path entry = folder.path() / "store" / "meldinger" / name().str();
        CHECK(std::filesystem::exists(entry / "kvittering.json"));
        CHECK_FALSE(std::filesystem::exists(entry / "melding.xml"));
    }

    TEST_CASE("a draft that is not committed leaves nothing; what a crash left is cleared at the start") {
        const TempFolder folder;
        const Path path = folder.path() / "store";
        {
            const auto store = open_store(path);
            auto draft = store->begin();
            REQUIRE(draft.has_value());
            REQUIRE(draft.value().write(as_bytes("x")).has_value());
            CHECK_FALSE(std::filesystem::is_empty(path / "tmp"));
        }
        CHECK(std::filesystem::is_empty(path / "tmp"));
        std::filesystem::create_directory(path / "tmp" / "7");
        REQUIRE(write_new(posix_file_system(), path / "tmp" / "7" / "melding.xml", "rest", 0600).has_value());
        const auto store = open_store(path);
        CHECK(std::filesystem::is_empty(path / "tmp"));
    }

    TEST_CASE("one claim to a name, one server to a store") {
        const TempFolder folder;
        const auto store = open_store(folder.path() / "store");
        auto claim = store->claim(name());
        CHECK(claim.has_value());
        CHECK_FALSE(store->claim(name()).has_value());
        claim.reset();
        CHECK(store->claim(name()).has_value());
        const auto second = Store::open(posix_file_system(), folder.path() / "store");
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().code() == Code::locked);
    }

    TEST_CASE("room is asked for before a body is read; a damaged record is no receipt") {
        const TempFolder folder;
        const auto store = open_store(folder.path() / "store");
        CHECK(store->check_room(1).has_value());
        const Status full = store->check_room(std::uint64_t{1} << 62);
        REQUIRE_FALSE(full.has_value());
        CHECK(full.error().code() == Code::disk_full);
        const Path entry = folder.path() / "store" / "meldinger" / name().str();
        std::filesystem::create_directory(entry);
        REQUIRE(write_new(posix_file_system(), entry / "kvittering.json", "{", 0600).has_value());
        const auto found = store->find(name());
        REQUIRE_FALSE(found.has_value());
        CHECK(found.error().code() == Code::record_damaged);
    }

    TEST_CASE("the power goes at every call: all of a delivery or nothing, and all once commit returned") {
        for (const auto loss : {test::Loss::none, test::Loss::unsynced, test::Loss::random}) {
            for (std::uint64_t at = 1;; ++at) {
                const TempFolder folder;
                test::FaultFs fs(folder.path());
                fs.stop_at(at);
                const bool committed = deliver(fs, folder.path() / "store");
                const bool fired = !fs.fired().empty();
                INFO("call ", at, " ", fs.fired());
                fs.crash(loss, at);
                const bool found = found_whole(fs, folder.path() / "store");
                if (committed) CHECK(found);
                if (!fired) {
                    CHECK(committed);
                    CHECK(at > 15);
                    break;
                }
            }
        }
    }

    TEST_CASE("what a start found, a power cut after it does not take away") {
        for (std::uint64_t at = 1;; ++at) {
            const TempFolder folder;
            test::FaultFs fs(folder.path());
            fs.stop_at(at);
            static_cast<void>(deliver(fs, folder.path() / "store"));
            const bool fired = !fs.fired().empty();
            INFO("call ", at, " ", fs.fired());
            fs.crash(test::Loss::none);
            const bool answered = found_whole(fs, folder.path() / "store");
            fs.crash(test::Loss::unsynced);
            if (answered) CHECK(found_whole(fs, folder.path() / "store"));
            if (!fired) break;
        }
    }

    TEST_CASE("what a killed start made is synced by the next one") {
        for (std::uint64_t at = 1; at < 12; ++at) {
            const TempFolder folder;
            test::FaultFs fs(folder.path());
            fs.stop_at(at);
            static_cast<void>(deliver(fs, folder.path() / "store"));
            INFO("call ", at, " ", fs.fired());
            fs.crash(test::Loss::none);
            if (!deliver(fs, folder.path() / "store")) continue;
            fs.crash(test::Loss::unsynced);
            CHECK(found_whole(fs, folder.path() / "store"));
        }
    }

    TEST_CASE("every call fails once: no success without a durable entry, and nothing half") {
        for (const Code code : {Code::io, Code::disk_full}) {
            for (std::uint64_t at = 1;; ++at) {
                const TempFolder folder;
                test::FaultFs fs(folder.path());
                fs.fail_at(at, code);
                const bool committed = deliver(fs, folder.path() / "store");
                const bool fired = !fs.fired().empty();
                INFO("call ", at, " ", fs.fired());
                fs.crash(test::Loss::unsynced);
                const bool found = found_whole(fs, folder.path() / "store");
                if (committed) CHECK(found);
                if (!fired) break;
            }
        }
    }
}
