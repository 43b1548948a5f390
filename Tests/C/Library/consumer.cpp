// A C++ program of somebody else: all installed headers are C++ too, and their names link.
#include <oxcore/oxcore.h>

#include <cstdio>

int main() {
    if (ox_init() != OX_OK) return 1;
    std::printf("consumer: %s from C++\n", ox_verdict_name(OX_PASS));
    return 0;
}
