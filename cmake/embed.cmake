# moetune_embed(<target> <files relative to the project>): makes a library that holds the files' bytes, read with
# moetune::resource("kernels/…") from base/resources.h. What the binary needs at run time travels inside it.
function(moetune_embed target)
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp")
  set(inputs ${ARGN})
  list(TRANSFORM inputs PREPEND "${PROJECT_SOURCE_DIR}/")
  string(JOIN "," names ${ARGN})
  add_custom_command(
    OUTPUT "${generated}"
    COMMAND ${CMAKE_COMMAND} "-DROOT=${PROJECT_SOURCE_DIR}" "-DFILES=${names}" "-DOUTPUT=${generated}"
            -P "${PROJECT_SOURCE_DIR}/cmake/write_embedded.cmake"
    DEPENDS ${inputs} "${PROJECT_SOURCE_DIR}/cmake/write_embedded.cmake"
    VERBATIM)
  add_library(${target} STATIC "${generated}")
  target_link_libraries(${target} PUBLIC moetune_options)
endfunction()
