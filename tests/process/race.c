/* A host's own mistake: it writes to what the library is reading. */
#include <pthread.h>

#include "../abi/check.h"

static char body[] = "{\"a\": [1, 2, 3], \"password\": \"x\"}";

static void *read_it(void *unused) {
    (void)unused;
    uint8_t out[256];
    size_t needed;
    for (int n = 0; n < 100; n++) mpr_mask("application/json", (const uint8_t *)body, sizeof body - 1, out, sizeof out, &needed);
    return NULL;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, read_it, NULL);
    for (int n = 0; n < 100; n++) body[8] = (char)('0' + n % 10);
    pthread_join(thread, NULL);
    return 0;
}
