/* Keys by which threads know their streams for ThreadLocalStreams. Those of ThreadLocalStreams that
 * are gone serve later ones: a thread holds no more streams than there were of them at once. */
#ifndef MICA_PY_LOCAL_KEY_H
#define MICA_PY_LOCAL_KEY_H

/* A key that nobody has; -1 with MemoryError. */
int mica_py_take_key(void);
void mica_py_give_key(int key); /* -1 is fine */

#endif
