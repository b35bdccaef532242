#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// Debian's Botan halves an RSA private operation between its own threads and is not instrumented: the sanitizer does
// not see its locks and futures and takes the hand-over of a result for a race, now and then.
extern "C" const char* __tsan_default_suppressions();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
    return "race:libbotan-2.so\n";
}
#endif
#endif
