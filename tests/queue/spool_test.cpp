#include "queue/spool.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "queue/folder_lock.h"
#include "queue/forward_spool.h"
#include "tests/queue/fixtures.h"
#include "tests/support/fault_fs.h"

namespace tpf::queue::test {

using tpf::test::Call;
using tpf::test::FaultFs;

namespace {

struct SpoolFixture {
    TempFolder folder;
    FaultFs fs{folder.path()};
    std::unique_ptr<Spool> spool = get(Spool::open(fs, folder.path(), {}));
    const Folders& at = spool->folders();
};

PostRecord post_for(const SpoolId& id, std::string_view body) {
    return {id, name_of(kMeldingsId), iplos(), body.size(), digest_of(body), kSignature};
}

void make_output(Spool& spool, const SpoolId& id, std::string_view body) {
    auto output = get(spool.begin_output(id));
    good(output.body().write(as_bytes(body)));
    good(output.seal(post_for(id, body)));
}

mode_t mode_of(const Path& path) {
    return get(posix_file_system().info(path)).mode;
}

}  // namespace

TEST_SUITE("queue/spool") {
    TEST_CASE_FIXTURE(SpoolFixture, "folders have the modes of the documentation; opening again changes nothing") {
        CHECK(mode_of(at.inbox_new) == 03770);
        CHECK(mode_of(at.work) == 02700);
        CHECK(mode_of(at.outbox) == 02750);
        CHECK(mode_of(at.quarantine) == 02700);
        CHECK_FALSE(std::filesystem::exists(at.root / "journal"));
        ::chmod(at.outbox.c_str(), 02710);
        get(Spool::open(fs, folder.path(), {}));
        CHECK(mode_of(at.outbox) == 02710);
    }

    TEST_CASE_FIXTURE(SpoolFixture, "what is handed over appears at once, with its record") {
        auto writer = get(InboxWriter::begin(*spool, 0));
        good(writer.write(as_bytes("kryptert ")));
        good(writer.write(as_bytes("melding")));
        CHECK(get(spool->list_inbox()).ids.empty());
        const KildeRecord record = get(writer.commit({.source = "tpfctl",
                                                      .sender = sender(),
                                                      .operator_name = "kari",
                                                      .reason = "etter telefon",
                                                      .received = UtcTime()}));
        CHECK(get(spool->list_inbox()).ids == std::vector{record.id});
        const InboxEntry entry = get(spool->read_inbox(record.id));
        CHECK(entry.owner == ::geteuid());
        CHECK(entry.size == 16);
        CHECK(entry.kilde.sha256 == digest_of("kryptert melding"));
        CHECK(entry.kilde.operator_name == "kari");
        CHECK(get(fs.list(at.inbox_tmp)).empty());
    }

    TEST_CASE_FIXTURE(SpoolFixture, "a hand-over that is given up leaves nothing") {
        {
            auto writer = get(InboxWriter::begin(*spool, 0));
            good(writer.write(as_bytes("halv")));
        }
        CHECK(get(fs.list(at.inbox_tmp)).empty());
        fs.short_write_at(1);
        CHECK(code_of(hand_over(*spool, "melding")) == Code::disk_full);
        CHECK(get(fs.list(at.inbox_tmp)).empty());
        CHECK(get(spool->list_inbox()).ids.empty());
    }

    TEST_CASE_FIXTURE(SpoolFixture, "a failed sync is the end: no acknowledgement, now and later") {
        fs.fail_at(Call::sync_folder, 2, Code::io);  // inbox/new
        CHECK(code_of(hand_over(*spool, "melding")) == Code::fsync_failed);
        CHECK(code_of(hand_over(*spool, "neste")) == Code::fsync_failed);
    }

    TEST_CASE_FIXTURE(SpoolFixture, "intake leaves the reserve alone where the journal is, too") {
        const Path journal = folder.path() / "journal";
        const auto tight = get(Spool::open(fs, folder.path(), {.reserve_bytes = 1000, .journal_folder = journal}));
        fs.set_free_bytes(999, journal);
        const auto refused = hand_over(*tight, "12345");
        REQUIRE(code_of(refused) == Code::disk_full);
        CHECK(refused.error().text().find(journal.string()) != std::string::npos);
        CHECK(get(tight->room()).at == journal);
        CHECK(get(tight->room()).bytes == 999);
        // What a message needs, it needs in the spool.
        fs.set_free_bytes(1000, journal);
        CHECK(hand_over(*tight, "12345").has_value());
    }

    TEST_CASE_FIXTURE(SpoolFixture, "intake leaves the reserve alone, the pass may use it") {
        const auto tight = get(Spool::open(fs, folder.path(), {.reserve_bytes = 1000}));
        fs.set_free_bytes(1004);
        CHECK(code_of(hand_over(*tight, "12345")) == Code::disk_full);
        fs.set_free_bytes(999);
        CHECK(code_of(hand_over(*tight, "")) == Code::disk_full);
        fs.set_free_bytes(1005);
        const SpoolId id = get(hand_over(*tight, "12345")).id;
        fs.set_free_bytes(0);
        good(tight->claim(id));
        make_output(*tight, id, "ut");
    }

    TEST_CASE_FIXTURE(SpoolFixture, "what a source may not hand over") {
        const SpoolId id = get(hand_over(*spool, "melding")).id;
        const Path entry = at.inbox_new / id.view();
        const auto code = [&] { return code_of(spool->read_inbox(id)); };
        SUBCASE("body missing") {
            std::filesystem::remove(entry / kInnsending);
            CHECK(code() == Code::record_form);
        }
        SUBCASE("a third file") {
            put(entry / "mer", "x");
            CHECK(code() == Code::record_form);
        }
        SUBCASE("a symbolic link in place of the body") {
            std::filesystem::rename(entry / kInnsending, folder.path() / "annet");
            std::filesystem::create_symlink(folder.path() / "annet", entry / kInnsending);
            CHECK(code() == Code::record_form);
        }
        SUBCASE("a FIFO in place of the body") {
            std::filesystem::remove(entry / kInnsending);
            ::mkfifo((entry / kInnsending).c_str(), 0600);
            CHECK(code() == Code::record_form);
        }
        SUBCASE("a second hard link to the body") {
            std::filesystem::create_hard_link(entry / kInnsending, folder.path() / "annet");
            CHECK(code() == Code::record_form);
        }
        SUBCASE("a body of another length") {
            put(entry / kInnsending, "meldin");
            CHECK(code() == Code::record_damaged);
        }
        SUBCASE("a damaged record") {
            put(entry / kKilde, "{}");
            CHECK(code() == Code::record_damaged);
        }
        SUBCASE("a record that is too large") {
            put(entry / kKilde, std::string(kMaxRecord + 1, ' '));
            CHECK(code() == Code::record_form);
        }
        SUBCASE("another entry's record") {
            const SpoolId other = get(hand_over(*spool, "annen m")).id;
            std::filesystem::copy_file(at.inbox_new / other.view() / kKilde, entry / kKilde,
                                       std::filesystem::copy_options::overwrite_existing);
            CHECK(code() == Code::record_form);
        }
        SUBCASE("a file in place of the entry") {
            std::filesystem::remove_all(entry);
            put(entry, "x");
            CHECK(code() == Code::record_form);
        }
        SUBCASE("taken away under our hands: later, not stop") {
            std::filesystem::remove_all(entry);
            CHECK(code() == Code::io);
        }
        // Whatever it is, it can be moved to quarantine; nothing of it is lost.
        if (std::filesystem::exists(entry)) {
            good(spool->quarantine(id));
            CHECK(std::filesystem::exists(at.quarantine / id.view()));
        }
    }

    TEST_CASE_FIXTURE(SpoolFixture, "names that are no spool id are counted, not touched") {
        std::filesystem::create_directory(at.inbox_new / "13097248022");
        std::filesystem::create_directory(at.inbox_new / "1B4E28BA-2FA1-4D3B-A3F5-0C6A3F4D2B11");
        const Listing listing = get(spool->list_inbox());
        CHECK(listing.ids.empty());
        CHECK(listing.strangers.size() == 2);
    }

    TEST_CASE_FIXTURE(SpoolFixture, "an output is in outbox only by publish, whole; each move can be repeated") {
        const SpoolId id = get(hand_over(*spool, "melding")).id;
        good(spool->claim(id));
        good(spool->claim(id));
        CHECK(get(read_all(*get(spool->open_input(id)))) == "melding");
        make_output(*spool, id, "ut:melding");
        CHECK(get(spool->list_outbox()).ids.empty());
        good(spool->publish(id));
        good(spool->publish(id));
        CHECK(get(spool->list_outbox()).ids == std::vector{id});
        CHECK(content(at.outbox / id.view() / kMelding) == "ut:melding");
        CHECK(mode_of(at.outbox / id.view() / kMelding) == 0640);
        CHECK(std::filesystem::exists(at.work / id.view() / kInnsending));
        good(spool->withdraw(id));
        good(spool->withdraw(id));
        CHECK(get(spool->list_outbox()).ids.empty());
        good(spool->remove_payloads(id));
        good(spool->remove_payloads(id));
        CHECK(get(fs.list(at.work)).empty());
    }

    TEST_CASE_FIXTURE(SpoolFixture, "a failed pass leaves no output; a record that lies about it is refused") {
        const SpoolId id = get(hand_over(*spool, "melding")).id;
        good(spool->claim(id));
        {
            auto output = get(spool->begin_output(id));
            good(output.body().write(as_bytes("klartekst")));
            CHECK(code_of(output.seal(post_for(id, "kort"))) == Code::internal);
        }
        CHECK(get(fs.list(at.work)) == std::vector{id.str()});
        CHECK(code_of(spool->publish(id)) == Code::record_damaged);
        put(at.work / (id.str() + ".ut"), "rest");  // what an earlier pass could have left, in whatever form
        make_output(*spool, id, "ut");
    }

    TEST_CASE_FIXTURE(SpoolFixture, "quarantine keeps the bytes and no output; retry brings them back") {
        const SpoolId id = get(hand_over(*spool, "melding")).id;
        good(spool->claim(id));
        make_output(*spool, id, "ut:melding");
        good(spool->publish(id));
        good(spool->quarantine(id));
        good(spool->quarantine(id));
        CHECK(get(spool->list_outbox()).ids.empty());
        CHECK(get(fs.list(at.work)).empty());
        CHECK(content(at.quarantine / id.view() / kInnsending) == "melding");
        CHECK(get(spool->read_work(id)).kilde.sha256 == digest_of("melding"));
        good(spool->retry(id));
        good(spool->retry(id));
        CHECK(get(spool->read_work(id)).size == 7);
    }

    TEST_CASE_FIXTURE(SpoolFixture, "the forwarder sends what has no answer, until the core takes it away") {
        const SpoolId id = get(hand_over(*spool, "melding")).id;
        good(spool->claim(id));
        make_output(*spool, id, "ut:melding");
        good(spool->publish(id));
        const auto forward = get(ForwardSpool::open(fs, folder.path()));
        CHECK(get(forward->to_send()).ids == std::vector{id});
        CHECK(get(forward->read_post(id)).sha256 == digest_of("ut:melding"));
        CHECK(get(read_all(*get(forward->open_message(id)))) == "ut:melding");
        SvarRecord answer{.id = id, .http_status = 201, .answered = UtcTime()};
        answer.kvittering = "R-1";
        good(forward->hand_over(answer));
        answer.kvittering = "R-2";
        good(forward->hand_over(answer));
        CHECK(get(forward->to_send()).ids.empty());
        CHECK(get(spool->list_receipts()).ids == std::vector{id});
        const ReceiptEntry receipt = get(spool->read_receipt(id));
        CHECK(receipt.svar.kvittering == "R-1");
        CHECK(receipt.owner == ::geteuid());
        good(spool->remove_receipt(id));
        good(spool->remove_receipt(id));
        CHECK(get(forward->to_send()).ids == std::vector{id});
    }

    TEST_CASE_FIXTURE(SpoolFixture, "what another user left in receipts/tmp stops no forwarder") {
        std::filesystem::create_directories(at.receipts_tmp / "a" / "b" / "c" / "d");
        std::filesystem::create_directory(at.receipts_tmp / "b");
        get(ForwardSpool::open(fs, folder.path()));
        CHECK(std::filesystem::exists(at.receipts_tmp / "a"));
        CHECK_FALSE(std::filesystem::exists(at.receipts_tmp / "b"));
    }

    TEST_CASE_FIXTURE(SpoolFixture, "a damaged outbox entry is seen by the forwarder") {
        const SpoolId id = get(hand_over(*spool, "melding")).id;
        good(spool->claim(id));
        make_output(*spool, id, "ut:melding");
        good(spool->publish(id));
        const auto forward = get(ForwardSpool::open(fs, folder.path()));
        put(at.outbox / id.view() / kMelding, "ut:meldin");
        CHECK(code_of(forward->read_post(id)) == Code::record_damaged);
        put(at.outbox / id.view() / kPost, "{}");
        CHECK(code_of(forward->read_post(id)) == Code::record_damaged);
        good(spool->withdraw(id));
        CHECK(code_of(forward->read_post(id)) == Code::not_found);
    }

    TEST_CASE_FIXTURE(SpoolFixture, "a receipt that is no receipt") {
        const SpoolId id = SpoolId::random();
        const Path entry = at.receipts_new / id.view();
        std::filesystem::create_directory(entry);
        CHECK(code_of(spool->read_receipt(id)) == Code::record_form);
        put(entry / kSvar, "{}");
        CHECK(code_of(spool->read_receipt(id)) == Code::record_damaged);
        SvarRecord other{.id = SpoolId::random(), .http_status = 201, .answered = UtcTime()};
        put(entry / kSvar, get(write_svar(other)));
        CHECK(code_of(spool->read_receipt(id)) == Code::record_form);
        good(spool->remove_receipt(id));
        CHECK(get(spool->list_receipts()).ids.empty());
    }

    TEST_CASE_FIXTURE(SpoolFixture, "the forwarder tells how the registers stand; leftovers of a crash are swept") {
        std::filesystem::create_directory(at.receipts_tmp / "rest");
        const auto forward = get(ForwardSpool::open(fs, folder.path()));
        CHECK(get(fs.list(at.receipts_tmp)).empty());
        CHECK(spool->register_health().empty());
        good(forward->write_health({{iplos(), Code::register_away, UtcTime(), 3}}));
        good(forward->write_health({{iplos(), Code::register_away, UtcTime(), 4}}));
        REQUIRE(spool->register_health().size() == 1);
        CHECK(spool->register_health()[0].attempts == 4);
        put(at.receipts / kRegistre, "{}");
        CHECK(spool->register_health().empty());
    }

    TEST_CASE_FIXTURE(SpoolFixture, "kvitteringer go to their source's folder and replace older ones") {
        const SpoolId id = SpoolId::random();
        good(spool->write_kvittering("drop", id, writes("en\n")));
        good(spool->write_kvittering("drop", id, writes("to\n")));
        const Path file = at.kvittering / "drop" / (id.str() + ".json");
        CHECK(content(file) == "to\n");
        CHECK(mode_of(file) == 0640);
        CHECK(mode_of(file.parent_path()) == 02750);
        CHECK(code_of(spool->write_kvittering("../x", id, writes("tre\n"))) == Code::usage);
    }

    TEST_CASE_FIXTURE(SpoolFixture, "half-written hand-overs of our own are swept at start") {
        std::filesystem::create_directory(at.inbox_tmp / SpoolId::random().view());
        put(at.inbox_tmp / "fil", "x");
        good(spool->sweep_inbox_tmp(UtcTime()));
        CHECK(get(fs.list(at.inbox_tmp)).empty());
    }

    TEST_CASE("a second instance is refused") {
        const TempFolder folder;
        {
            const auto first = get(FolderLock::take(folder.path() / "lock"));
            CHECK(code_of(FolderLock::take(folder.path() / "lock")) == Code::locked);
        }
        get(FolderLock::take(folder.path() / "lock"));
    }
}

}  // namespace tpf::queue::test
